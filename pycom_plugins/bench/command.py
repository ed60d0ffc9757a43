"""`pycom bench`."""

from __future__ import annotations

import sys
from typing import Any

import click

# Little is imported here, since `pycom --help` needs all commands.
from pycom_core import cli


@click.command()
@cli.options("nameserver", "service", "config", "timeout", "token", "json")
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    show_default=True,
    help="Have up to N calls in flight.",
)
@click.option("--sync", is_flag=True, help="Call synchronously, from a thread for each in flight.")
@click.option(
    "--duration",
    type=cli.Positive(),
    metavar="SECONDS",
    help="Call for so long; 10 without --calls.",
)
@click.option("--calls", type=click.IntRange(min=1), metavar="N", help="End after N calls.")
@click.option(
    "--rate",
    type=cli.Positive(),
    metavar="N",
    help="Start N calls each second, whatever the answers; latency counts from when one was due.",
)
@click.option(
    "--warm-up",
    type=cli.Positive(or_zero=True),
    default=1.0,
    metavar="SECONDS",
    show_default=True,
    help="Call for so long before what counts.",
)
@click.argument("interface")
@click.argument("method")
@click.argument("arguments", nargs=-1, metavar="[NAME=VALUE]...")
def bench(
    interface: str,
    method: str,
    arguments: tuple[str, ...],
    service: str | None,
    timeout: float,
    as_json: bool,
    concurrency: int,
    sync: bool,
    duration: float | None,
    calls: int | None,
    rate: float | None,
    warm_up: float,
    **given: Any,
) -> None:
    """Call a method again and again, and show how many calls there were and how long they took.

    Each VALUE is JSON where it parses as such, and a string elsewhere. The exit status is 1 if a
    call failed. Ctrl-C ends it, with the result so far.
    """
    import attrs

    from pycom_plugins.bench import report
    from pycom_plugins.bench.load import Load, run
    from pycom_plugins.bench.tally import Tally

    unlimited = float("inf")
    load = Load(
        interface=interface,
        service=service,
        method=method,
        arguments=cli.named_values(arguments),
        concurrency=concurrency,
        seconds=duration or (10.0 if calls is None else unlimited),
        calls=calls or unlimited,
        rate=rate,
    )
    context = cli.client_context(given, timeout)
    # A missing interface and a wrong argument are reported at once.
    with cli.located(context, interface, service) as component:
        cli.refuse_unknown(component, method, load.arguments)
    warming = attrs.evolve(load, seconds=warm_up, calls=unlimited)
    tally = Tally()
    try:
        run(context, [(warming, Tally()), (load, tally)], sync)
    except KeyboardInterrupt:
        click.echo("pycom: interrupted", err=True)
    if as_json:
        cli.print_json(report.summary(tally))
    else:
        click.echo("\n".join(report.lines(tally)))
    if tally.failures:
        sys.exit(1)
