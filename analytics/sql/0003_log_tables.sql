-- The three records of analytics, by month. Texts have no length here: a row that is too long is a row all the same.
CREATE TABLE analytics_apiaccesslog (
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    method text NOT NULL,
    route text NOT NULL,
    status smallint NOT NULL,
    duration_us bigint NOT NULL,
    ip inet,
    user_agent text NOT NULL DEFAULT '',
    user_id uuid,
    request_id text NOT NULL DEFAULT '',
    error_code text NOT NULL DEFAULT '',
    PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
CREATE TABLE analytics_apiaccesslog_default PARTITION OF analytics_apiaccesslog DEFAULT;
CREATE INDEX access_age ON analytics_apiaccesslog (created_at, id);
CREATE INDEX access_of_user ON analytics_apiaccesslog (user_id, created_at, id);
CREATE INDEX access_of_request ON analytics_apiaccesslog (request_id);
CREATE INDEX access_failures ON analytics_apiaccesslog (created_at, id) WHERE status >= 400;

CREATE TABLE analytics_externalapicalllog (
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    vendor text NOT NULL,
    operation text NOT NULL,
    model text NOT NULL DEFAULT '',
    status smallint,
    outcome text NOT NULL,
    duration_ms integer NOT NULL,
    attempts smallint NOT NULL DEFAULT 1,
    units jsonb NOT NULL DEFAULT '{}',
    cost_micros bigint,
    error text NOT NULL DEFAULT '',
    request_id text NOT NULL DEFAULT '',
    user_id uuid,
    analysis_id uuid,
    chat_id uuid,
    PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
CREATE TABLE analytics_externalapicalllog_default PARTITION OF analytics_externalapicalllog DEFAULT;
CREATE INDEX vendor_call_age ON analytics_externalapicalllog (created_at, id);
CREATE INDEX vendor_call_of_vendor ON analytics_externalapicalllog (vendor, created_at, id);
CREATE INDEX vendor_call_of_user ON analytics_externalapicalllog (user_id, created_at, id);
CREATE INDEX vendor_call_of_request ON analytics_externalapicalllog (request_id) WHERE request_id <> '';
CREATE INDEX vendor_call_of_analysis ON analytics_externalapicalllog (analysis_id) WHERE analysis_id IS NOT NULL;

-- The record of sign-ins was a plain table. Its rows wait in the default partition until their months are made.
ALTER TABLE analytics_authenticationlog RENAME TO analytics_authenticationlog_plain;
ALTER TABLE analytics_authenticationlog_plain RENAME CONSTRAINT analytics_authenticationlog_pkey
    TO analytics_authenticationlog_plain_pkey;
DROP INDEX authentication_of_user, authentication_age;
CREATE TABLE analytics_authenticationlog (
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    event text NOT NULL,
    success boolean NOT NULL,
    reason text NOT NULL DEFAULT '',
    ip inet,
    user_agent text NOT NULL DEFAULT '',
    request_id text NOT NULL DEFAULT '',
    user_id uuid REFERENCES accounts_user (id) DEFERRABLE INITIALLY DEFERRED,
    PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
CREATE TABLE analytics_authenticationlog_default PARTITION OF analytics_authenticationlog DEFAULT;
CREATE INDEX authentication_of_user ON analytics_authenticationlog (user_id, created_at, id);
CREATE INDEX authentication_age ON analytics_authenticationlog (created_at, id);
CREATE INDEX authentication_from ON analytics_authenticationlog (ip, created_at, id);
CREATE INDEX authentication_of_request ON analytics_authenticationlog (request_id) WHERE request_id <> '';
INSERT INTO analytics_authenticationlog (id, created_at, event, success, reason, ip, user_agent, request_id, user_id)
SELECT id, created_at, event, success, reason, ip, user_agent, request_id, user_id
FROM analytics_authenticationlog_plain;
-- Checked now, for a table whose rows still wait for their check cannot be altered again.
SET CONSTRAINTS ALL IMMEDIATE;
DROP TABLE analytics_authenticationlog_plain;
