"""Your own machine: PostgreSQL and Redis from wheels, and every process of the Procfile."""
