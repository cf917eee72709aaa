"""Does: the broker, the worker, the dispatcher and a runner for every job message. Answers nobody."""
