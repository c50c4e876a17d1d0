"""Loads networks from XML: nodes, programs on them, and pipes between programs.

```xml
<network>
  <node pi_id="192.168.4.2">
    <algorithm path="source" executable="./measure">
      <parameter param="--rate 10"/>
      <output pipe_id="1" block_size="10" block_count="5"/>
    </algorithm>
  </node>
</network>
```

The elements below the root are nodes and those below a node are programs, whatever their names.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, ParseError

from fission.core.nodes import BaseNode
from fission.core.pipes import BasePipe, BytesPipe
from fission.errors import ConfigError

if TYPE_CHECKING:
    from fission.core.jobs import DynamicMARVELOJob

__all__ = ["XML_ARGUMENTS", "XMLLoader"]


@dataclass(frozen=True, slots=True)
class XMLLoader:
    """Loads networks from XML files; the arguments are the names that the file uses.

    Of the attributes, only `ip`, `executable` and `pipe_id` are required.
    """

    ip: str = "pi_id"
    """Attribute of a node: its address."""
    executable: str = "executable"
    """Attribute of a program: the command."""
    dependencies: str = "path"
    """Attribute of a program: the folder with its files."""
    input: str = "input"
    """Element in a program: a pipe that it reads."""
    output: str = "output"
    """Element in a program: a pipe that it writes."""
    pipe_id: str = "pipe_id"
    """Attribute of an input or output: the id of the pipe."""
    parameter_tag: str = "parameter"
    """Element in a program: an argument of the command. Several are joined by spaces."""
    parameter: str = "param"
    """Attribute of such an element: the text."""
    block_size: str = "block_size"
    """Attribute of an input or output: bytes of a block. It is enough at one end; 1 if it is at none."""
    block_count: str = "block_count"
    """Attribute of an input or output: blocks that the receiver gets at once; as `block_size`."""

    def load(
        self, path: str | os.PathLike[str], pipes: Mapping[int, BasePipe] | None = None
    ) -> tuple[list[BaseNode], list["DynamicMARVELOJob"]]:
        """Return the nodes, and the jobs, each with its enclosing node as `DEFAULT_NODE`.

        A pipe in `pipes` is used unchanged; all others become `BytesPipe`s. Raises ConfigError, and creates nothing,
        when the file cannot be read or is inconsistent.
        """
        found = _Pipes(str(path), pipes or {})
        programs: dict[str, list[_Program]] = {}
        for node in _parse(Path(path)):
            ip = _attribute(found.where, node, self.ip)
            programs.setdefault(ip, []).extend(self._program(found, ip, program) for program in node)
        if not any(programs.values()):
            raise ConfigError("the file has no programs", where=found.where, expected=_SHAPE)
        return _make(programs, found)

    def _program(self, pipes: "_Pipes", ip: str, program: Element) -> "_Program":
        where = pipes.where
        made = _Program(
            executable=_attribute(f"{where}, node {ip}", program, self.executable),
            dependencies=program.get(self.dependencies, "").strip(),
            parameters=" ".join(
                _attribute(f"{where}, node {ip}", one, self.parameter)
                for one in program.iterfind(self.parameter_tag)
            ),
        )
        for tag, ids, ends in (
            (self.input, made.inputs, pipes.destinations),
            (self.output, made.outputs, pipes.sources),
        ):
            for one in program.iterfind(tag):
                place = f"{where}, {made.executable} on node {ip}"
                id = _number(place, one, self.pipe_id, least=0)
                pipes.end(id, ends)
                pipes.set(id, _numbers(place, one, self.block_size, self.block_count))
                ids.append(id)
        return made


XML_ARGUMENTS: Final = tuple(one.name for one in fields(XMLLoader))
"""The arguments of XMLLoader, which are the valid names in XML_ARGS."""

_SHAPE = "<network><node><algorithm>...</algorithm></node></network>"


@dataclass(slots=True)
class _Program:
    executable: str
    dependencies: str
    parameters: str
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)


class _Pipes:
    """The pipes of a file; raises ConfigError where the file is inconsistent."""

    def __init__(self, where: str, known: Mapping[int, BasePipe]) -> None:
        self.where = where
        self.sources: set[int] = set()
        self.destinations: set[int] = set()
        self._known = known
        self._given: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def end(self, id: int, ends: set[int]) -> None:
        """Record that a program reads or writes this pipe."""
        if id in ends:
            which = "Source" if ends is self.sources else "Destination"
            raise ConfigError(f"{which} of pipe {id} was defined multiple times.", where=self.where)
        ends.add(id)

    def set(self, id: int, numbers: tuple[int | None, int | None]) -> None:
        """Record block size and block count of one end, None where they are not given."""
        known = self._known.get(id)
        fixed = (known.BLOCK_SIZE, known.BLOCK_COUNT) if known else (None, None)
        for what, given, number, before in zip(("sizes", "counts"), self._given, numbers, fixed, strict=True):
            if number is None:
                continue
            if given.setdefault(id, number) != number or (before is not None and before != number):
                raise ConfigError(f"Multiple block {what} are set for pipe {id}.", where=self.where)

    def make(self, id: int) -> BasePipe:
        """Return the pipe."""
        sizes, counts = self._given
        return self._known.get(id) or BytesPipe(id, sizes.get(id, 1), counts.get(id, 1))


def _make(
    programs: Mapping[str, list[_Program]], pipes: _Pipes
) -> tuple[list[BaseNode], list["DynamicMARVELOJob"]]:
    from fission.core.jobs import DynamicMARVELOJob  # noqa: PLC0415 - only networks with XML need it

    nodes = []
    jobs = []
    for ip, group in programs.items():
        node = BaseNode(ip)
        nodes.append(node)
        for one in group:
            job = DynamicMARVELOJob(
                one.dependencies,
                one.executable,
                one.parameters,
                inputs=[pipes.make(id) for id in one.inputs],
                outputs=[pipes.make(id) for id in one.outputs],
            )
            job.DEFAULT_NODE = ip
            node.jobs.append(job)
            jobs.append(job)
    return nodes, jobs


# -- reading -------------------------------------------------------------------------------------------------


def _parse(path: Path) -> Element:
    """Return the root of the file. Entities are refused: they can fill the memory, or read other files."""
    from defusedxml import DefusedXmlException  # noqa: PLC0415 - only networks with XML need it
    from defusedxml.ElementTree import parse  # noqa: PLC0415

    if not path.is_file():
        raise ConfigError("there is no such file", where=str(path))
    try:
        root: Element | None = parse(path, forbid_entities=True, forbid_external=True).getroot()
    except OSError as error:
        raise ConfigError(f"it cannot be read: {error.strerror}", where=str(path)) from error
    except DefusedXmlException as error:
        raise ConfigError(
            "entities are not allowed",
            where=str(path),
            hint="Replace them with the text that they stand for",
        ) from error
    except (
        ParseError,
        LookupError,
        ValueError,
    ) as error:  # an unknown encoding is a LookupError or ValueError
        raise ConfigError(f"it is not valid XML: {error}", where=str(path)) from error
    if root is None:
        raise ConfigError("it is empty", where=str(path), expected=_SHAPE)
    return root


def _attribute(where: str, element: Element, name: str) -> str:
    value = element.get(name, "").strip()
    if not value:
        has = ", ".join(element.attrib) or "no attribute"
        raise ConfigError(
            f"<{element.tag}> has no {name}",
            where=where,
            found=has,
            hint="XML_ARGS sets other names",
        )
    return value


def _numbers(where: str, element: Element, *names: str) -> tuple[int | None, int | None]:
    size, count = (
        _number(where, element, name, least=1) if name in element.attrib else None for name in names
    )
    return size, count


def _number(where: str, element: Element, name: str, *, least: int) -> int:
    text = _attribute(where, element, name)
    digits = text.isascii() and text.isdecimal() and len(text) <= len(str(_MOST))
    if not (digits and least <= int(text) <= _MOST):
        raise ConfigError(
            f"<{element.tag}> has a wrong {name}",
            where=where,
            expected=f"a whole number from {least} to {_MOST}",
            found=repr(text),
        )
    return int(text)


_MOST = 0xFFFFFFFF
