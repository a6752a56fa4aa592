-- Who may join a request's topic, to listen only: https://supabase.com/docs/guides/realtime/authorization
DROP POLICY IF EXISTS whyral_status ON realtime.messages;
CREATE POLICY whyral_status ON realtime.messages FOR SELECT TO authenticated
    USING (extension = 'broadcast' AND EXISTS (
        SELECT FROM {requests} asked WHERE asked.id = (
            SELECT CASE
                WHEN realtime.topic() ~ '^analysis:[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$'
                THEN substr(realtime.topic(), 10)::uuid
            END
        )
    ));
