"""OpenAPI 3.1, generated from the declarations that parse and render, and a page that shows it."""
