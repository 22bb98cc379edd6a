"""HTML pages: one style, one base, and charts. A page is one file, which loads nothing."""
