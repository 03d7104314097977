"""What an operator does to the database and the bytes: ``python -m services.api.admin …``.

The ``stagedoor`` command runs this as a child, because nothing else may open the database.
"""
