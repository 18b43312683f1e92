"""Words and pictures for people: one place for what terminal, page and report say."""
