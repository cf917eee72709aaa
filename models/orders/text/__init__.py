"""What is known of a text: its Markdown, its sentences, the edits of it, and what changed between two."""
