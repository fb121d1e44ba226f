"""`calculator`: arithmetic that a language model should not do in its head."""

from __future__ import annotations

from typing import Final

from coda_cli.engine.core.tools import Arguments, Touches
from coda_cli.engine.tools.base import BaseTool, ToolContext, ToolError

_PARAMETERS: Final = {
    "type": "object",
    "properties": {
        "expression": {"type": "string", "description": "for example (3 + 4) * 5, 2**200, 15% of 80, sqrt(2)"},
    },
    "required": ["expression"],
    "additionalProperties": False,
}


class Calculator(BaseTool):
    """Work out an arithmetic expression."""

    name = "calculator"
    description = (
        "Calculate an arithmetic expression exactly. Knows + - * / // % ** !, functions such as sqrt, sin (radians), "
        "log (natural), round, min, max, factorial, gcd, comb, mean, and pi, e, tau."
    )
    parameters = _PARAMETERS
    touches = Touches.NOTHING
    category = "math"

    async def run(self, arguments: Arguments, context: ToolContext) -> str:
        """The value; an ≈ before it where it is not exact."""
        from coda_cli.engine.tools.calculation import CalculationError, calculate

        try:
            return str(calculate(str(arguments["expression"])))
        except CalculationError as exc:
            raise ToolError(str(exc)) from exc
