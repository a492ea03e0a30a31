"""Shows that the checks of the received messages detect errors: the sender makes each error on purpose."""

from .cells import guess
from .measure import selected, variants_of
from .runs import run_once

FAULTS = ("lose", "swap", "repeat", "wrong", "short")


def selftest(options):
    """Returns the number of runs that did not end as expected."""
    unexpected = 0
    for cell in selected(options.cells):
        count = guess(cell)
        for variant in variants_of(cell, options.impls.split(",")):
            cases = [("no fault", {}, False)] + [(fault, dict(more=("--fault", fault)), True) for fault in FAULTS]
            if cell["scenario"] in ("thr", "thr_batch"):
                # The last message is missing: no later message can show that.
                fewer = ("--count", str(count - 1), "--warmup", str(count // 10))
                cases.append(("one message too few", dict(connecting=fewer), True))
            for name, arguments, must_fail in cases:
                result = run_once(cell, variant, count, timeout=5, **arguments)
                expected = ("error" in result) == must_fail
                unexpected += not expected
                outcome = result.get("error", "all received")[:150]
                print(f"{'ok' if expected else 'WRONG':5} {cell['id']:20} {variant:16} {name:20} {outcome}")
    return unexpected
