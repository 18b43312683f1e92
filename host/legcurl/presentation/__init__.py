"""Words and pictures for people: events and stored sets in; text, charts and reports out."""
