-- What lets a browser watch its own analyses. All of it may be run again; the reasons are in decision 0026.
-- A schema that PostgREST does not serve, so that none of this can be called from outside.
CREATE SCHEMA IF NOT EXISTS whyral;

-- Whom a token speaks for: the row of an active user, or NULL. PostgREST and Realtime have checked the token's signature
-- before they set the claims. Claims that cannot be read, and a subject that two rows answer to, are nobody.
CREATE OR REPLACE FUNCTION whyral.signed_in() RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    subject text;
    own uuid;
    found uuid;
BEGIN
    subject := current_setting('request.jwt.claims', true)::jsonb ->> 'sub';
    IF subject ~ '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$' THEN
        own := subject;
    END IF;
    SELECT id INTO STRICT found FROM {schema}.accounts_user
    WHERE is_active AND erasure_asked_at IS NULL
        AND ((provider = 'local' AND id = own) OR (provider = ANY({vouching}::text[]) AND provider_id = subject));
    RETURN found;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION whyral.signed_in() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION whyral.signed_in() TO authenticated;

-- In brackets with SELECT it is asked once a query, not once a row.
DROP POLICY IF EXISTS whyral_own ON {requests};
CREATE POLICY whyral_own ON {requests} FOR SELECT TO authenticated
    USING (user_id = (SELECT whyral.signed_in()));

-- Who sees a request sees its posts and its history: the policy above decides in here too. As an array, so that an index
-- finds the rows however little a browser asked for.
DROP POLICY IF EXISTS whyral_own ON {posts};
CREATE POLICY whyral_own ON {posts} FOR SELECT TO authenticated
    USING (request_id = ANY (ARRAY(SELECT id FROM {requests})));

DROP POLICY IF EXISTS whyral_own ON {history};
CREATE POLICY whyral_own ON {history} FOR SELECT TO authenticated
    USING (request_id = ANY (ARRAY(SELECT id FROM {requests})));

-- Each row of the history goes out as it is: what /events/ sends too. It is a bell, so the step of the pipeline that wrote
-- the row neither fails with it nor waits for it longer than a blink.
CREATE OR REPLACE FUNCTION whyral.broadcast_status() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' SET lock_timeout = '100ms' AS $$
BEGIN
    IF to_regprocedure('realtime.send(jsonb,text,text,boolean)') IS NOT NULL THEN
        PERFORM realtime.send(
            jsonb_build_object({pairs}), 'status', 'analysis:' || NEW.request_id, true
        );
    END IF;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'status % was not broadcast: %', NEW.id, SQLERRM;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION whyral.broadcast_status() FROM PUBLIC;
CREATE OR REPLACE TRIGGER whyral_broadcast AFTER INSERT ON {history}
    FOR EACH ROW EXECUTE FUNCTION whyral.broadcast_status();

-- What is made later in this schema is closed from its first moment: a new month of a log, a table of a new release.
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} REVOKE ALL ON TABLES FROM anon, authenticated;
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} REVOKE ALL ON SEQUENCES FROM anon, authenticated;
