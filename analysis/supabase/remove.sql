-- The way back. Grants that were taken stay taken: to give them back would publish every table.
DROP TRIGGER IF EXISTS whyral_broadcast ON {history};
DROP POLICY IF EXISTS whyral_own ON {history};
DROP POLICY IF EXISTS whyral_own ON {posts};
DROP POLICY IF EXISTS whyral_own ON {requests};
DROP FUNCTION IF EXISTS whyral.broadcast_status();
DROP FUNCTION IF EXISTS whyral.signed_in();
DROP SCHEMA IF EXISTS whyral;
