"""A GPU made of this processor: its tensors are elsewhere, its graphs replay kernels, not Python.

Numbers are computed on the processor, so that they can be compared with it. What fails on a GPU
fails here: operands on two devices, and while a graph is recorded all that waits for the device or
copies from the processor, or runs on another stream or device. A replay runs the recorded kernels
on the recorded memory; what was made while recording holds nonsense until then. Autocast and the
order of streams are not pretended.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

aten = torch.ops.aten

# Kernels that tell the processor something, whose answer it has to wait for.
_ANSWERS = (
    aten._local_scalar_dense, aten.nonzero, aten.masked_select, aten.equal, aten._unique2,
    aten.unique_dim, aten.unique_consecutive, aten.is_nonzero, aten.bincount,
)  # fmt: skip
_INDEXED = (aten.index, aten.index_put, aten.index_put_, aten._unsafe_index)
# Copies that may cross devices.
_CROSSING = (aten._to_copy, aten.copy_, aten.set_, aten.lift_fresh)
# Kernels that write to arguments their schema does not say so of: places of these.
_WRITES = {aten.native_batch_norm: (3, 4)}


class OnGPU(Tensor):
    """A tensor on a pretended device; `memory` has its numbers."""

    @staticmethod
    def __new__(cls, memory: Tensor, where: torch.device):
        shell = torch.empty_strided(
            memory.size(), memory.stride(), dtype=memory.dtype, device="meta"
        )
        # To PyTorch's C++ a meta tensor: its autograd engine would look for a GPU's streams.
        made = Tensor._make_subclass(cls, shell, False, device_for_backend_keys=where)
        made.memory, made.where = memory, where
        return made

    @property
    def device(self) -> torch.device:
        return self.where

    def tolist(self) -> list:  # PyTorch's own refuses subclasses
        return self.cpu().tolist()

    def __repr__(self) -> str:
        return f"OnGPU({self.memory}, {self.where})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError(f"{func}: a pretended GPU's tensor was used outside the pretence")


class _Graph:
    """The kernels that ran while it was recorded."""

    def __init__(self):
        self.kernels: list[tuple] = []
        self.own: dict[int, Tensor] = {}  # bytes of memory that was allocated while recording
        self.before: dict[int, tuple[Tensor, Tensor]] = {}  # bytes of other memory, and a copy
        self.replays = 0

    def note(self, func, args: tuple, kwargs: dict, found) -> None:
        reads = {_bytes(t).data_ptr() for t in _tensors((args, kwargs))}
        for made in _tensors(found):
            if _bytes(made).data_ptr() not in reads:
                self.own[_bytes(made).data_ptr()] = _bytes(made)
        self.kernels.append((func, args, kwargs, found))

    def keep(self, written: list[Tensor]) -> None:
        """Remember what is in memory that recording, which runs nothing, must not change."""
        for tensor in written:
            whole = _bytes(tensor)
            if whole.data_ptr() not in self.own and whole.data_ptr() not in self.before:
                self.before[whole.data_ptr()] = whole, whole.clone()

    def end(self) -> None:
        for whole, content in self.before.values():
            whole.copy_(content)
        self.spoil()

    def spoil(self) -> None:
        """NaN, or numbers that are no index."""
        for whole in self.own.values():
            whole.fill_(255).view(-1)[7::8] = 127

    def replay(self) -> None:
        _state.modes[-1].check_idle()
        self.replays += 1
        self.spoil()
        with torch.utils._python_dispatch._disable_current_modes(), torch.no_grad():
            for func, args, kwargs, found in self.kernels:
                again = func(*args, **kwargs)
                for old, new in zip(_tensors(found), _tensors(again), strict=True):
                    if old.data_ptr() != new.data_ptr():
                        old.copy_(new)


_state = SimpleNamespace(modes=[])


class FakeGPU(TorchDispatchMode):
    """Sends what concerns GPUs to the processor, and refuses what a GPU would.

    `waits` counts the times that the processor waited for a GPU, by kernel.
    """

    def __init__(self, count: int = 1):
        super().__init__()
        self.count, self.current = count, 0
        self.waits: dict[str, int] = {}
        self.graphs: list[_Graph] = []
        self.recording: tuple[_Graph, _Stream] | None = None
        self.forked: set[_Stream] = set()  # streams that wait for the recorded one, and it not them
        self.streams = {number: _Stream(number) for number in range(count)}

    def check_idle(self) -> None:
        if self.recording:
            raise RuntimeError("operation not permitted when stream is capturing")

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        packet = func.overloadpacket
        given = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, Tensor)]
        ours = [t for t in given if isinstance(t, OnGPU)]
        target = self._target(kwargs)
        if not ours and target.type != "cuda":
            return func(*args, **kwargs)
        where = target if target.type == "cuda" else ours[0].where if ours else None
        leaving = kwargs.get("device") is not None and target.type != "cuda"
        self._check(packet, args, given, ours, leaving, where)
        known = {id(t.memory): t for t in ours}

        def down(value):
            if isinstance(value, OnGPU):
                return value.memory
            return torch.device("cpu") if isinstance(value, torch.device) else value

        plain, named = tree_map(down, args), tree_map(down, kwargs)
        if named.get("pin_memory"):
            named["pin_memory"] = False
        graph = self._graph_of(where)
        if graph:
            graph.keep(_written(func, packet, plain, named))
        found = func(*plain, **named)
        if graph:
            graph.note(func, plain, named, found)
        if leaving:
            return found

        def up(value):
            if not isinstance(value, Tensor):
                return value
            return known[id(value)] if id(value) in known else OnGPU(value, where)

        return tree_map(up, found)

    def _target(self, kwargs: dict) -> torch.device:
        asked = torch.device(kwargs.get("device") or "cpu")
        # What C++ makes like a tensor of a GPU, it makes as a meta tensor.
        if asked.type == "meta" or (asked.type == "cuda" and asked.index is None):
            return torch.device("cuda", self.current)
        return asked

    def _graph_of(self, where: torch.device) -> _Graph | None:
        if not self.recording:
            return None
        graph, stream = self.recording
        if self.streams[where.index] not in (stream, *self.forked):
            raise RuntimeError(f"a kernel on {where} is not on the stream that is recorded")
        return graph

    def _check(self, packet, args, given, ours, leaving, where) -> None:
        """Refuse what a GPU refuses; count what the processor waits for."""
        strangers = [t for t in given if not isinstance(t, OnGPU)]
        others = {t.where for t in ours} - {where}
        crossing = packet in _CROSSING and (leaving or strangers or others)
        if not crossing:
            mixed = [t for t in strangers if t.ndim]
            if packet in _INDEXED:
                mixed = [] if ours and args[0] is ours[0] else mixed
            if mixed or others:
                devices = sorted({str(t.device) for t in given})
                raise RuntimeError(f"{packet}: expected all tensors on one device, not {devices}")
        if packet is aten._fused_sgd_:
            _check_sgd(args)
        masks = packet in _INDEXED and any(
            t is not None and (t.dtype in (torch.bool, torch.uint8) or not isinstance(t, OnGPU))
            for t in args[1]
        )
        if crossing or masks or packet in _ANSWERS:
            self.check_idle()
            name = packet.__name__ + (" to the processor" if leaving else "")
            self.waits[name] = self.waits.get(name, 0) + 1


class _Stream:
    """A GPU's stream, which kernels are told apart by while one is recorded."""

    def __init__(self, device=None):
        self.number = _number(device)

    @property
    def device(self) -> torch.device:
        return torch.device("cuda", self.number)

    def wait_stream(self, other: "_Stream") -> None:
        """Join what is recorded, or come back to it."""
        mode = _state.modes[-1]
        if mode.recording and self is mode.recording[1]:
            mode.forked.discard(other)
        elif mode.recording and other in (mode.recording[1], *mode.forked):
            mode.forked.add(self)


class _Recorder:
    """``torch.cuda.graph``."""

    own_stream = None  # PyTorch makes one at the first recording, and keeps it

    def __init__(self, graph: _Graph, pool=None, stream: _Stream | None = None, **_):
        if stream is None:
            stream = _Recorder.own_stream = _Recorder.own_stream or _Stream()
        self.graph, self.stream = graph, stream

    def __enter__(self) -> None:
        mode = self.mode = _state.modes[-1]
        mode.check_idle()
        self.before = mode.current, mode.streams[self.stream.number]
        mode.current, mode.streams[self.stream.number] = self.stream.number, self.stream
        mode.recording = self.graph, self.stream
        mode.graphs.append(self.graph)

    def __exit__(self, kind, *_) -> None:
        self.mode.recording = None
        self.mode.current, self.mode.streams[self.stream.number] = self.before
        self.graph.end()
        unjoined, self.mode.forked = self.mode.forked, set()
        if unjoined and kind is None:
            raise RuntimeError("capture was invalidated: forked streams were not joined")


@contextmanager
def _on_stream(stream: _Stream) -> Iterator[None]:
    mode = _state.modes[-1]
    before = mode.current, mode.streams[stream.number]
    mode.current, mode.streams[stream.number] = stream.number, stream
    try:
        yield
    finally:
        mode.current, mode.streams[stream.number] = before


@contextmanager
def _on_device(device) -> Iterator[None]:
    mode = _state.modes[-1]
    before = mode.current
    mode.current = _number(device)
    try:
        yield
    finally:
        mode.current = before


def _number(device=None) -> int:
    if isinstance(device, int):
        return device
    index = None if device is None else torch.device(device).index
    return _state.modes[-1].current if index is None else index


@contextmanager
def pretended(monkeypatch, count: int = 1) -> Iterator[FakeGPU]:
    """Let this process have GPUs."""
    torch._C._ensureCUDADeviceGuardSet()
    cuda = {
        "_lazy_init": lambda: None,
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "is_bf16_supported": lambda *_, **__: True,
        "device_count": lambda: count,
        "get_device_capability": lambda *_: (9, 0),
        "current_device": lambda: _number(),
        "get_device_name": lambda *_: "a pretended GPU",
        "mem_get_info": lambda *_: (2**33, 2**33),
        "synchronize": lambda *_: _state.modes[-1].check_idle(),
        "empty_cache": lambda: None,
        "reset_peak_memory_stats": lambda *_: None,
        "max_memory_reserved": lambda *_: 0,
        "current_stream": lambda device=None: _state.modes[-1].streams[_number(device)],
        "Stream": _Stream,
        "stream": _on_stream,
        "device": _on_device,
        "CUDAGraph": _Graph,
        "graph": _Recorder,
        "is_current_stream_capturing": lambda: _state.modes[-1].recording is not None,
    }
    with monkeypatch.context() as patch:
        for name, value in cuda.items():
            patch.setattr(torch.cuda, name, value)
        patch.setattr(_Recorder, "own_stream", None)
        # A module that moves is given new parameters: C++ cannot put the old ones elsewhere.
        lifting = torch._C._only_lift_cpu_tensors()
        overwriting = torch.__future__.get_overwrite_module_params_on_conversion()
        torch._C._set_only_lift_cpu_tensors(True)
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        try:
            with FakeGPU(count) as mode:
                _state.modes.append(mode)
                yield mode
        finally:
            _state.modes.pop()
            torch._C._set_only_lift_cpu_tensors(lifting)
            torch.__future__.set_overwrite_module_params_on_conversion(overwriting)


def _check_sgd(args: tuple) -> None:
    """A GPU's fused optimiser takes tensors of one layout."""
    for parameter, gradient, momentum in zip(*args[:3], strict=True):
        for other in (gradient, momentum):
            sides = [d for d, size in enumerate(parameter.shape) if size > 1]
            if any(parameter.stride(d) != other.stride(d) for d in sides):
                raise RuntimeError("fused SGD: gradients and parameters differ in their strides")


def _written(func, packet, args: tuple, kwargs: dict) -> list[Tensor]:
    places = _WRITES.get(packet, ())
    found = [args[place] for place in places if place < len(args)]
    for place, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            name = argument.name
            found.append(args[place] if place < len(args) else kwargs.get(name))
    return list(_tensors(found))


def _tensors(tree) -> Iterator[Tensor]:
    return (leaf for leaf in tree_flatten(tree)[0] if isinstance(leaf, Tensor))


def _bytes(tensor: Tensor) -> Tensor:
    """The whole memory that a tensor is part of."""
    return torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())
