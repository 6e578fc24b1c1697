"""The works behind public training data, by the name of the file that a model card lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bec_md.report.citation import Citation

_TOGO = Citation(
    "Togo2018",
    ("Togo, Atsushi",),
    "Phonon database",
    "",
    2018,
    reason="training data of the model: crystals (PBEsol)",
    url="https://github.com/atztogo/phonondb",
)
_PETRETTO = Citation(
    "Petretto2018",
    (
        "Petretto, Guido",
        "Dwaraknath, Shyam",
        "Miranda, Henrique P. C.",
        "Winston, Donald",
        "Giantomassi, Matteo",
        "van Setten, Michiel J.",
        "Gonze, Xavier",
        "Persson, Kristin A.",
        "Hautier, Geoffroy",
        "Rignanese, Gian-Marco",
    ),
    "High-throughput density-functional perturbation theory phonons for inorganic materials",
    "Sci. Data",
    2018,
    "5",
    "180065",
    "10.1038/sdata.2018.65",
    "training data of the model: crystals (PBEsol)",
)
_JAIN = Citation(
    "Jain2013",
    (
        "Jain, Anubhav",
        "Ong, Shyue Ping",
        "Hautier, Geoffroy",
        "Chen, Wei",
        "Richards, William Davidson",
        "Dacek, Stephen",
        "Cholia, Shreyas",
        "Gunter, Dan",
        "Skinner, David",
        "Ceder, Gerbrand",
        "Persson, Kristin A.",
    ),
    "Commentary: The Materials Project: A materials genome approach to accelerating materials innovation",
    "APL Mater.",
    2013,
    "1",
    "011002",
    "10.1063/1.4812323",
    "training data of the model: crystals (PBE, PBE+U)",
)
_FALLETTA = Citation(
    "Falletta2025",
    (
        "Falletta, Stefano",
        "Cepellotti, Andrea",
        "Johansson, Anders",
        "Tan, Chuin Wei",
        "Descoteaux, Marc L.",
        "Musaelian, Albert",
        "Owen, Cameron J.",
        "Kozinsky, Boris",
    ),
    "Unified differentiable learning of electric response",
    "Nat. Commun.",
    2025,
    "16",
    "4031",
    "10.1038/s41467-025-59304-1",
    "training data of the model: quartz and barium titanate in motion (PBE)",
)
_HIJES = Citation(
    "MonteroDeHijes2024",
    (
        "Montero de Hijes, Pablo",
        "Dellago, Christoph",
        "Jinnouchi, Ryosuke",
        "Schmiedmayer, Bernhard",
        "Kresse, Georg",
    ),
    "Comparing machine learning potentials for water: Kernel-based regression and Behler–Parrinello neural "
    "networks",
    "J. Chem. Phys.",
    2024,
    "160",
    "114107",
    reason="training data of the model: configurations of water (RPBE-D3)",
    url="https://arxiv.org/abs/2312.15213",
)
_ZHONG = Citation(
    "Zhong2025",
    ("Zhong, Peichen", "Kim, Dongjin", "King, Daniel S.", "Cheng, Bingqing"),
    "Machine learning interatomic potential can infer electrical response",
    "npj Comput. Mater.",
    2025,
    reason="training data of the model: Born effective charges of water (RPBE-D3)",
    url="https://arxiv.org/abs/2504.05169",
)
_LU = Citation(
    "Lu2026",
    (
        "Lu, Anh Khoa Augustin",
        "Maekawa, Naoki",
        "Ikeda, Akane",
        "Shimizu, Koji",
        "Masuda, Hiroshi",
        "Yoshida, Hidehiro",
        "Watanabe, Satoshi",
    ),
    "Study of the ion mobility in defect-laden ZrO2 under an electric field using neural network with "
    "predictions for Born effective charges",
    "Phys. Rev. Mater.",
    2026,
    "10",
    "066001",
    "10.1103/jcsd-dbl2",
    "training data of the model: hot ZrO2 with oxygen vacancies (PBE)",
)

#: Stem of a training file → what it was taken from.
_SOURCES = {
    "phonondb_train": (_TOGO,),
    "petretto_extra_train": (_PETRETTO,),
    "mp_train": (_JAIN,),
    "sio2_train": (_FALLETTA,),
    "batio3_train": (_FALLETTA,),
    "water_train": (_HIJES, _ZHONG),
    "zro2_train": (_LU,),
}


def of_training_files(card: Mapping[str, Any]) -> list[Citation]:
    """Return the works behind the public files that a model, and the one it started from, were trained on.

    Parameters
    ----------
    card
        Card of a model, with ``training`` as `bec-md train` writes it.
    """
    from bec_md.network.registry import bundled_models

    known, found = bundled_models(), []
    while isinstance(training := card.get("training"), Mapping):
        files = [str(row.get("file", "")) for row in training.get("data") or ()]
        found += [work for file in files for work in _SOURCES.get(file.removesuffix(".xyz"), ())]
        start = ((training.get("config") or {}).get("finetune") or {}).get("model")
        if (earlier := known.pop(str(start), None)) is None:  # each once: a name may be that of its successor
            break
        card = earlier.card
    return list(dict.fromkeys(found))
