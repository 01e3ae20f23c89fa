"""Tells what pip-audit found: python launch/audited.py FILE; ends with 1 if there is a weakness."""

import json
import pathlib
import sys


def main() -> int:
    packages = json.loads(pathlib.Path(sys.argv[1]).read_text())["dependencies"]
    skipped = [one["name"] for one in packages if "skip_reason" in one]
    weak = [one for one in packages if one.get("vulns")]
    for one in weak:
        for found in one["vulns"]:
            mended = ", ".join(found["fix_versions"]) or "no version"
            print(f"{one['name']} {one['version']}: {found['id']}, mended in {mended}")
    print(
        f"{len(packages) - len(skipped)} packages audited, {len(weak)} with a known weakness; "
        f"nothing is known of {', '.join(skipped) or 'none'}."
    )
    return int(bool(weak))


if __name__ == "__main__":
    sys.exit(main())
