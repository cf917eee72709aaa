"""Shows: pages, fragments, the JSON API, webhooks and live progress. Does no slow work and sends no mail."""
