"""`python -m fission.node`: the node service, the same as the program `fission-node`.

With `--checked` and all settings as JSON it is the service itself, which that program becomes.
"""

import gc
import sys

if __name__ == "__main__":
    gc.disable()  # imports make very many objects and no garbage; the service enables it when it serves
    if sys.argv[1:2] == ["--checked"]:
        from fission.management.node.serve import main
    else:
        from fission.management.cli.fission_node import main
    sys.exit(main())
