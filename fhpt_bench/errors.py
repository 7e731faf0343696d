"""The one class of user error."""


class BenchError(Exception):
    """Something the user can put right: what is wrong, where, and what to do.

    The command line prints it without a traceback and exits with 2; a library caller may catch it.
    """

    def __init__(self, what: str, *, where: object = None, fix: str = "") -> None:
        self.what, self.where, self.fix = what, None if where is None else str(where), fix
        parts = [what]
        if self.where:
            parts.append(f"where: {self.where}")
        if fix:
            parts.append(f"fix: {fix}")
        super().__init__("\n  ".join(parts))
