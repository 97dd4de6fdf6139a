"""All attacks by name."""

from tests.adversary import crashes, damage, forged, pages

ATTACKS = {
    "crashes": crashes.crashes,
    "truncations": damage.truncations,
    "flips": damage.flips,
    "arrays": damage.arrays,
    "forged": forged.commands,
    "pages": pages.injections,
}
