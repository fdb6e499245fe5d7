"""The data files: checksums, and the public addresses of those that have one."""

from __future__ import annotations

from dataclasses import dataclass

_UCI = "https://archive.ics.uci.edu/static/public"
_FOREST_FIRES_ZIP = f"{_UCI}/162/forest+fires.zip"
_IRIS_ZIP = f"{_UCI}/53/iris.zip"
_SPAMBASE_ZIP = f"{_UCI}/94/spambase.zip"
_DIABETES_ZIP = f"{_UCI}/296/diabetes+130-us+hospitals+for+years+1999-2008.zip"
_MNIST = "https://storage.googleapis.com/cvdf-datasets/mnist"
_LIBSVM = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary"


@dataclass(frozen=True)
class DataFile:
    """One file of the registry.

    Parameters
    ----------
    sha256 : str
        Checksum of the file in the folder INFLUSTAT_DATA.
    url : str, optional
        Public address of the original; empty for files derived from one, which cannot be downloaded.
    member : str, optional
        Name of the file inside the zip archive at `url`; empty when `url` is the file itself.
    original_sha256 : str, optional
        Checksum of the download where it is not compressed but the file in the folder is.

    Examples
    --------
    >>> from influstat.datasets.registry import FILES
    >>> FILES["iris/iris.data"].member
    'iris.data'
    """

    sha256: str
    url: str = ""
    member: str = ""
    original_sha256: str = ""

    @property
    def download_sha256(self) -> str:
        """The checksum of the file as it is downloaded."""
        return self.original_sha256 or self.sha256


FILES: dict[str, DataFile] = {
    "a9a/a9a.gz": DataFile(
        "b301f3e87350539f3ebc751d07b4691a8c66f0bf38c1d179c86bbf5e2d9623b2",
        url=f"{_LIBSVM}/a9a",
        original_sha256="f5d5ffd8d865ff41328e7ee043e4b020816914ff6843ff15b98905ddbedce906",
    ),
    "a9a/a9a.t.gz": DataFile(
        "92967561181c73a60149cc8221b936eb746573fda8cbf483115d673f42b26c3f",
        url=f"{_LIBSVM}/a9a.t",
        original_sha256="1f448a153f0320399a7e40836eb207655b0bde0f21fc941cc472193daa9f5de9",
    ),
    "a9a/a9a_csr.npz": DataFile("9c3d3dba6087d81985af40f3b7e2113a18b0da9e980a195c9c0c7b8f3d330f88"),
    "diabetes130/IDS_mapping.csv": DataFile(
        "f1bb82b471cb34649352597572c9b1fb00bd27f77b9f5a22a03dc3eb1039749e",
        url=_DIABETES_ZIP,
        member="IDS_mapping.csv",
    ),
    "diabetes130/diabetic_data.csv.gz": DataFile(
        "16209e462b906f828e2423f7a9f783f4c4472ad81abd7d653f4e19b46da76e82",
        url=_DIABETES_ZIP,
        member="diabetic_data.csv",
        original_sha256="0689e7ec031237dc63031b938805c48377748761a3b26acab621567afa24df97",
    ),
    "diabetes130/koh_liang_design.npz": DataFile(
        "e535c83bc0b652268c1f5a85bb32495363fb0fa8bb5847a42d42ab4b9982d9ac"
    ),
    "enron1/enron1_bow.npz": DataFile("ffddd80aab58dd899a893b96c4a146f1f06dcf9b15307a338cf5bf9d7a0b210d"),
    "forestfires/forestfires.csv": DataFile(
        "0d6586a1fa52f55bef48578aef14eb97273f1e9330e1a53423df497a77065253",
        url=_FOREST_FIRES_ZIP,
        member="forestfires.csv",
    ),
    "iris/iris.data": DataFile(
        "6f608b71a7317216319b4d27b4d9bc84e6abd734eda7872b71a458569e2656c0",
        url=_IRIS_ZIP,
        member="iris.data",
    ),
    "microcredit/microcredit_profit.npz": DataFile(
        "1f32b59685e9532f6f8a1d286dc3917cb26ccd6e02d2b8f0a33a203a40390890"
    ),
    "mnist/mnist17.npz": DataFile("55433e1802e9453756664355edebf7e2213525e5f301c78305ff4cb51f5b9a41"),
    "mnist/paper_rows.json": DataFile("ed13556ee4822551f5cf9245bd699337197d3747ad35394cf1d0f2e4a6088b08"),
    "mnist/t10k-images-idx3-ubyte.gz": DataFile(
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        url=f"{_MNIST}/t10k-images-idx3-ubyte.gz",
    ),
    "mnist/t10k-labels-idx1-ubyte.gz": DataFile(
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        url=f"{_MNIST}/t10k-labels-idx1-ubyte.gz",
    ),
    "mnist/train-images-idx3-ubyte.gz": DataFile(
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        url=f"{_MNIST}/train-images-idx3-ubyte.gz",
    ),
    "mnist/train-labels-idx1-ubyte.gz": DataFile(
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        url=f"{_MNIST}/train-labels-idx1-ubyte.gz",
    ),
    "newsgroups20/news20_bow.npz": DataFile(
        "69ce9d27b74b06b4541db528f7d36cc890ea1e4a2576e24807999fea9d8cb0f5"
    ),
    "spambase/spambase.data": DataFile(
        "b1ef93de71f97714d3d7d4f58fc9f718da7bbc8ac8a150eff2778616a8097b12",
        url=_SPAMBASE_ZIP,
        member="spambase.data",
    ),
    "spambase/spambase.names": DataFile(
        "df418fab7923f929237b81efa0987ddfaf2d68cf61291243625aadc684d5ab6a",
        url=_SPAMBASE_ZIP,
        member="spambase.names",
    ),
}
