"""Decides: tables, states, rules, actions, queries and job messages. Knows no HTTP, no queue, no letters."""
