"""Results in one line, as ``repr`` shows them: no arrays, whatever their size."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bec_md.current.series import CurrentSeries
    from bec_md.network.predictor import BecModel
    from bec_md.spectrum.spectrum import Spectrum


def spectrum_line(spectrum: Spectrum) -> str:
    """Return a spectrum in one line."""
    return f"<Spectrum: {'; '.join(f'{name} {text}' for name, text in spectrum_facts(spectrum).items())}>"


def spectrum_facts(spectrum: Spectrum) -> dict[str, str]:
    """Return what identifies a spectrum: range, resolution, length, temperature, ε∞, f-sum, peaks, checks."""
    p, grid = spectrum.parameters, spectrum.wavenumber_cm
    facts = {"range": f"{grid[0]:.3g} … {grid[-1]:.0f} cm⁻¹ ({len(grid)} points)"}
    if p.get("resolution_cm"):
        facts["resolution"] = f"{p['resolution_cm']:.3g} cm⁻¹"
    if p.get("total_time_ps"):
        runs = int(p.get("n_replicas") or 1)
        facts["length"] = f"{p['total_time_ps']:.4g} ps" + (f" in {runs} runs" if runs > 1 else "")
    facts["temperature"] = f"{spectrum.temperature_k:.1f} K"
    if spectrum.eps_inf is not None:
        facts["ε∞"] = f"{float(spectrum.eps_inf.trace()) / 3:.3f}"
    ratio = p.get("f_sum_ratio")
    if ratio is not None:
        facts["f-sum"] = ", ".join(f"{value:.3f}" for value in ratio)
    facts["peaks"] = str(len(spectrum.peaks))
    counts = {
        word: sum(check.status == status for check in spectrum.quality)
        for status, word in (("ok", "ok"), ("warn", "doubtful"), ("fail", "failed"))
    }
    facts["checks"] = ", ".join(f"{count} {word}" for word, count in counts.items() if count) or "none"
    return facts


def current_line(current: CurrentSeries) -> str:
    """Return a current in one line."""
    return f"<CurrentSeries: {'; '.join(f'{name} {text}' for name, text in current_facts(current).items())}>"


def current_facts(current: CurrentSeries) -> dict[str, str]:
    """Return what identifies a current: length, atoms, groups, charges, what is off before correction."""
    length = current.n_frames * current.timestep_fs / 1000.0
    facts = {"samples": f"{current.n_frames}, {current.timestep_fs:g} fs apart ({length:.4g} ps)"}
    if current.n_atoms is not None:
        facts["atoms"] = str(current.n_atoms)
    names = ", ".join(current.groups[:6]) + (" …" if current.n_groups > 6 else "")
    facts["groups"] = names
    facts["volume"] = f"{current.volume_ang3:.1f} Å³"
    if current.metadata.get("charges"):
        facts["charges"] = str(current.metadata["charges"])
    if current.metadata.get("source"):
        facts["from"] = str(current.metadata["source"])[:80]
    return facts


def model_line(model: BecModel) -> str:
    """Return a model in one line."""
    return f"<BecModel {model.name}: {'; '.join(f'{n} {t}' for n, t in model_facts(model).items())}>"


def model_facts(model: BecModel) -> dict[str, str]:
    """Return what identifies a model: elements, level of theory, stated error, engine."""
    from ase.data import chemical_symbols

    symbols = [chemical_symbols[number] for number in model.elements]
    error = model.card.get("stated_error_e")
    facts = {
        "elements": " ".join(symbols) if len(symbols) <= 8 else str(len(symbols)),
        "level": model.level,
        "stated error": "not stated" if error is None else f"{float(error):.3g} e",
        "engine": model.engine.name,
        "cutoff": f"{model.cutoff_ang:g} Å",
    }
    return facts if model.predicts_eps_inf else facts | {"ε∞": "not predicted"}
