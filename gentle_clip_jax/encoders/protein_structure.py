"""Backbones of proteins: features invariant to rotation and translation, residue by residue."""

from typing import NamedTuple, TypedDict

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from gentle_clip_jax.encoders.residues import Residues

# Spans (a, b) of residues i + a and i + b whose distance is a feature, in Angstrom its usual value.
_SPANS = {(0, 1): 3.8, (-1, 1): 6.0, (-1, 2): 8.0, (-2, 1): 8.0, (-2, 2): 9.0}
_SPANS |= {(0, 2): 6.0, (0, 3): 8.0, (0, 4): 9.0, (0, 5): 11.0, (0, 6): 13.0}
_SPANS |= {(-2, 0): 6.0, (-3, 0): 8.0, (-4, 0): 9.0, (-5, 0): 11.0, (-6, 0): 13.0}
_BREAK = 4.5  # Angstrom between neighbouring C-alpha atoms, above which residues are missing
_REACH = 2.4  # Angstrom from a C-alpha atom to the middle of its side chain, roughly
_RADII = (5.0, 6.5, 8.0, 9.5, 11.0)  # Angstrom


class Structure(TypedDict):
    """backbone: [b, n, 3, 3] atoms N, CA, C in Angstrom, NaN where unknown and behind the end.

    neighbours: [b, n, k] places of the residues near each; what is outside of [0, n) is none.
    """

    backbone: Array
    neighbours: Array


class _Edges(NamedTuple):
    """Residue i and its neighbours j: all [b, n, k]."""

    where: Array
    apart: Array  # of places in the sequence, j - i
    distance: Array  # of C-alpha atoms
    reach: Array  # of the middles of side chains
    ahead: Array  # cosine of i's side chain with the way to j
    behind: Array  # cosine of j's with the way back
    turned: Array  # cosine of both side chains


class StructureEncoder(nn.Module):
    """Backbones [b, n] -> Residues: embeddings [b, n, dim], and a summary of their invariants.

    Invariants of a residue's own stretch and of its surroundings pass two dense layers; then
    `depth` convolutions over its neighbours, whose kernels depend on how these lie in space
    (continuous) and along the chain (discrete). Memory and time grow with n k.

    Source: Fan et al. 2023, CDConv (continuous-discrete convolution), for the kernels.
    """

    dim: int = 32
    width: int = 64
    depth: int = 1
    dropout: float = 0.3
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, structure: Structure, *, train: bool = False) -> Residues:
        drop = nn.Dropout(self.dropout, deterministic=not train)
        resolved, own, edges = invariants(structure["backbone"], structure["neighbours"])
        neighbours = jnp.clip(structure["neighbours"], 0, resolved.shape[1] - 1)
        linear = nn.Dense(self.dim, dtype=self.dtype, name="linear")(own)
        h = drop(nn.gelu(nn.Dense(2 * self.width, dtype=self.dtype)(drop(own))))
        h = nn.Dense(self.width, dtype=self.dtype)(h)
        kernel = _kernel_inputs(edges)
        for _ in range(self.depth):
            h = h + drop(_Convolution(self.width, self.dtype)(h, neighbours, edges.where, kernel))
        h = nn.Dense(self.dim, dtype=self.dtype)(drop(nn.gelu(h)))
        rows = jnp.where(resolved[..., None], (linear + h).astype(jnp.float32), 0)
        return Residues(rows, _moments(own, resolved))


class _Convolution(nn.Module):
    """Neighbours' features weighted by kernels of their place: [b, n, width] -> the same."""

    width: int
    dtype: DTypeLike

    @nn.compact
    def __call__(self, h: Array, neighbours: Array, where: Array, kernel: Array) -> Array:
        h = nn.gelu(h)
        sent = nn.Dense(self.width, use_bias=False, dtype=self.dtype)(h)
        sent = jax.vmap(lambda rows, places: rows[places])(sent, neighbours)
        weight = nn.gelu(nn.Dense(16, dtype=self.dtype)(kernel))
        weight = nn.Dense(self.width, dtype=self.dtype)(weight)
        received = jnp.sum(jnp.where(where[..., None], weight * sent, 0), axis=2)
        return nn.Dense(self.width, dtype=self.dtype)(received / 8)


def _moments(features: Array, where: Array) -> Array:
    """Return the mean and standard deviation [b, 2 f] over the residues."""
    weight = where[..., None].astype(features.dtype)
    weight = weight / jnp.maximum(weight.sum(axis=1, keepdims=True), 1)
    mean = jnp.sum(weight * features, axis=1)
    variance = jnp.sum(weight * jnp.square(features - mean[:, None]), axis=1)
    return jnp.concatenate([mean, jnp.sqrt(variance + 1e-6)], axis=1)


def invariants(backbone: Array, neighbours: Array) -> tuple[Array, Array, _Edges]:
    """Return which residues [b, n] are resolved, their features [b, n, f], and their edges.

    Features that depend on missing atoms or span a gap are 0. A residue is resolved if its C-alpha
    atom is.
    """
    atoms_known = jnp.all(jnp.isfinite(backbone), axis=-1)
    n, ca, c = jnp.moveaxis(jnp.where(atoms_known[..., None], backbone, 0), 2, 0)
    resolved = atoms_known[:, :, 1]
    gaps = _gaps(ca, resolved)
    features = [*_distances(ca, gaps), *_virtual_torsions(ca, gaps)]
    features += _torsions(n, ca, c, atoms_known.all(axis=-1), gaps)
    whole = _shifted(gaps, -1) == _shifted(gaps, 1)
    side = _unit(2 * ca - _shifted(ca, -1) - _shifted(ca, 1))
    side = jnp.where(whole[..., None], side, 0)
    edges = _edges(ca, side, resolved, neighbours)
    features += _surroundings(edges)
    return resolved, jnp.stack(features, axis=-1), edges


def _shifted(rows: Array, by: int) -> Array:
    """Row i + by in place i of [b, n, ...]; beyond the ends 0, in whole numbers -1 and -2."""
    index = jnp.arange(rows.shape[1]) + by
    inside = (index >= 0) & (index < rows.shape[1])
    moved = jnp.take(rows, jnp.clip(index, 0, rows.shape[1] - 1), axis=1)
    beyond = (-1 if by < 0 else -2) if rows.dtype == jnp.int32 else 0
    inside = inside.reshape(1, -1, *[1] * (rows.ndim - 2))
    return jnp.where(inside, moved, jnp.asarray(beyond, rows.dtype))


def _gaps(ca: Array, resolved: Array) -> Array:
    """Return the number of gaps before each residue [b, n] int32, equal within a whole stretch."""
    step = jnp.linalg.norm(ca[:, 1:] - ca[:, :-1], axis=-1)
    broken = (step > _BREAK) | ~resolved[:, 1:] | ~resolved[:, :-1]
    return jnp.pad(jnp.cumsum(broken.astype(jnp.int32), axis=1), ((0, 0), (1, 0)))


def _distances(ca: Array, gaps: Array) -> list[Array]:
    features = []
    for (a, b), usual in _SPANS.items():
        whole = _shifted(gaps, a) == _shifted(gaps, b)
        length = jnp.linalg.norm(_shifted(ca, a) - _shifted(ca, b), axis=-1)
        features.append(jnp.where(whole, (length - usual) / (0.5 if b - a == 1 else 2), 0))
    return features


def _virtual_torsions(ca: Array, gaps: Array) -> list[Array]:
    """Return features of the torsions of four consecutive C-alpha atoms."""
    angle = _torsion(ca, *(_shifted(ca, k) for k in (1, 2, 3)))
    whole = gaps == _shifted(gaps, 3)
    pair = [jnp.where(whole, f(angle), 0) for f in (jnp.cos, jnp.sin)]
    return [_shifted(one, k) for k in (-3, -2, -1, 0) for one in pair]


def _torsions(n: Array, ca: Array, c: Array, resolved: Array, gaps: Array) -> list[Array]:
    """Return features of phi and psi, their sum and difference, and those of the next residues."""
    before = resolved & _shifted(resolved, -1) & (gaps == _shifted(gaps, -1))
    behind = resolved & _shifted(resolved, 1) & (gaps == _shifted(gaps, 1))
    phi = _torsion(_shifted(c, -1), n, ca, c)
    psi = _torsion(n, ca, c, _shifted(n, 1))
    features = []
    for angle, where in ((phi, before), (psi, behind)):
        pair = [jnp.where(where, f(angle), 0) for f in (jnp.cos, jnp.sin)]
        features += [_shifted(one, k) for k in (-1, 0, 1) for one in pair]
    for angle in (phi + psi, phi - psi):
        features += [jnp.where(before & behind, f(angle), 0) for f in (jnp.cos, jnp.sin)]
    return features


def _edges(ca: Array, side: Array, resolved: Array, neighbours: Array) -> _Edges:
    size = ca.shape[1]
    places = jnp.clip(neighbours, 0, size - 1)

    def near(rows: Array) -> Array:
        return jax.vmap(lambda row, place: row[place])(rows, places)

    where = (neighbours >= 0) & (neighbours < size) & near(resolved) & resolved[..., None]
    way = near(ca) - ca[:, :, None]
    middle = ca + _REACH * side
    reach = jnp.linalg.norm(near(middle) - middle[:, :, None], axis=-1)
    distance = jnp.linalg.norm(way, axis=-1)
    way = _unit(way)
    return _Edges(
        where=where,
        apart=neighbours - jnp.arange(size, dtype=neighbours.dtype)[None, :, None],
        distance=distance,
        reach=reach,
        ahead=jnp.sum(way * side[:, :, None], axis=-1),
        behind=-jnp.sum(way * near(side), axis=-1),
        turned=jnp.sum(near(side) * side[:, :, None], axis=-1),
    )


def _surroundings(edges: _Edges) -> list[Array]:
    """Return counts of near residues, ahead of and behind the side chain, and chain offsets."""
    apart = jnp.abs(edges.apart)
    far = edges.where & (apart >= 3)

    def total(weight: Array, usual: float) -> Array:
        return jnp.sum(jnp.where(far, weight, 0), axis=-1) / usual

    features = []
    for radius in _RADII:
        usual = (radius / 4) ** 1.5
        near = jax.nn.sigmoid((radius - edges.reach) / 0.7)
        features += [total(near, usual)]
        for least, most in ((3, 4), (5, 11), (12, 10**6)):
            features += [total(jnp.where((apart >= least) & (apart <= most), near, 0), usual)]
        near = jax.nn.sigmoid((radius - edges.distance) / 0.7)
        ahead = jax.nn.sigmoid(edges.ahead / 0.1)
        features += [total(near * ahead, usual), total(near * (1 - ahead), usual)]
    near = jax.nn.sigmoid(9 - edges.reach)
    return [*features, total(near * edges.turned, 2.0), total(near * edges.behind, 2.0)]


def _kernel_inputs(edges: _Edges) -> Array:
    """Return the inputs [b, n, k, f] of a kernel."""
    radii = jnp.arange(4.0, 13.0, 1.5)
    bumps = jnp.exp(-(((edges.reach[..., None] - radii[None, None, None]) / 1.5) ** 2))
    steps = jnp.array([-4, -3, -2, -1, 0, 1, 2, 3, 4])
    offset = jnp.clip(edges.apart, -4, 4)[..., None] == steps[None, None, None]
    angles = jnp.stack([edges.ahead, edges.behind, edges.turned], axis=-1)
    fall = jax.nn.sigmoid(11 - edges.distance)[..., None]
    return jnp.concatenate([bumps, offset.astype(bumps.dtype), angles], axis=-1) * fall


def _unit(v: Array) -> Array:
    return v / jnp.maximum(jnp.linalg.norm(v, axis=-1, keepdims=True), 1e-6)


def _torsion(a: Array, b: Array, c: Array, d: Array) -> Array:
    """Return the angle between the planes a b c and b c d, in radians."""
    first, middle, last = b - a, c - b, d - c
    left, right = jnp.cross(first, middle), jnp.cross(middle, last)
    above = jnp.sum(jnp.cross(left, _unit(middle)) * right, axis=-1)
    return jnp.arctan2(above, jnp.sum(left * right, axis=-1))
