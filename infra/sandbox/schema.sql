CREATE TABLE object (
  id       text PRIMARY KEY,
  kind     text NOT NULL,
  seq      bigint GENERATED ALWAYS AS IDENTITY,
  created  bigint NOT NULL,
  -- The Checkout Session whose payment this object belongs to. Locking that one row serialises
  -- everything that can happen to the payment.
  root     text NOT NULL,
  body     jsonb NOT NULL,
  -- What Stripe knows and does not show: line items, the payment intent's future metadata.
  hidden   jsonb NOT NULL DEFAULT '{}'
);
CREATE UNIQUE INDEX object_newest ON object (kind, seq DESC);
CREATE INDEX object_family ON object (root);
CREATE INDEX object_of_intent ON object ((body ->> 'payment_intent'));

CREATE TABLE delivery (
  id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id         text NOT NULL REFERENCES object ON DELETE CASCADE,
  endpoint         integer NOT NULL,
  state            text NOT NULL CHECK (state IN ('waiting', 'delivered', 'dropped', 'given_up')),
  attempts         integer NOT NULL DEFAULT 0,
  created_at       timestamptz NOT NULL,
  next_attempt_at  timestamptz NOT NULL,
  answer           text
);
CREATE INDEX delivery_due ON delivery (next_attempt_at) WHERE state = 'waiting';
CREATE INDEX delivery_of_event ON delivery (event_id);

-- How many endpoints have not yet taken an event: Stripe's pending_webhooks.
CREATE VIEW undelivered AS
  SELECT event_id, count(*) AS endpoints
  FROM (SELECT event_id FROM delivery GROUP BY event_id, endpoint HAVING NOT bool_or(state = 'delivered')) AS open
  GROUP BY event_id;

-- What the clock will do by itself: expire a session, settle a bank debit, open a dispute.
CREATE TABLE due (
  kind       text NOT NULL CHECK (kind IN ('expire', 'settle', 'dispute')),
  object_id  text NOT NULL,
  due_at     timestamptz NOT NULL,
  PRIMARY KEY (kind, object_id)
);

CREATE TABLE idempotency_key (
  key          text PRIMARY KEY,
  fingerprint  text NOT NULL,
  request_id   text NOT NULL,
  status       integer NOT NULL,
  body         bytea NOT NULL,
  created_at   timestamptz NOT NULL
);

CREATE TABLE clock (shift interval NOT NULL);
INSERT INTO clock VALUES ('0');
