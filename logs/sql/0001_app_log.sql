-- What the service said of itself. Texts have no length here: a row that is too long is a row all the same.
CREATE TABLE logs_applog (
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    level text NOT NULL,
    category text NOT NULL,
    logger text NOT NULL DEFAULT '',
    message text NOT NULL,
    metadata jsonb NOT NULL DEFAULT '{}',
    request_id text NOT NULL DEFAULT '',
    task_id text NOT NULL DEFAULT '',
    PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
CREATE TABLE logs_applog_default PARTITION OF logs_applog DEFAULT;
CREATE INDEX app_log_age ON logs_applog (created_at, id);
CREATE INDEX app_log_of_level ON logs_applog (level, created_at, id);
CREATE INDEX app_log_of_category ON logs_applog (category, created_at, id);
CREATE INDEX app_log_of_request ON logs_applog (request_id) WHERE request_id <> '';
