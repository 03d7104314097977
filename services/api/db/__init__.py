"""Where rows live: tables, engine, migrations."""
