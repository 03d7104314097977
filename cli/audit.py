"""``stagedoor audit``: who did what."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import AsJson, PageSize, PageToken  # noqa: TC001 - typer reads the annotations

app = typer.Typer(no_args_is_help=True, help="Read the audit log; needs the scope admin.")


@app.command("list")
def list_(
    *,
    newest_first: Annotated[bool, typer.Option("--newest-first", help="Oldest last.")] = False,
    page_size: PageSize = 20,
    page_token: PageToken = "",
    as_json: AsJson = False,
) -> None:
    """List what was done, oldest first."""
    from cli.client import connect
    from cli.output import moment, print_json, print_table
    from stagedoor.v1.audit_service_pb2 import ListAuditEntriesRequest

    request = ListAuditEntriesRequest(
        page_size=page_size,
        page_token=page_token,
        order_by="create_time desc" if newest_first else "",
    )
    with connect() as client:
        page = client.call(client.audit.ListAuditEntries, request)
    if as_json:
        print_json(page)
        return
    rows = [
        (moment(e.create_time), e.principal, e.action, e.resource, e.address)
        for e in page.audit_entries
    ]
    print_table(("WHEN", "WHO", "WHAT", "WHICH", "FROM"), rows, page.next_page_token)
