"""The data files: checksums, and the public addresses of those that have one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataFile:
    """One file of the registry."""

    sha256: str  # of the file in the folder INFLUSTAT_DATA
    url: str = ""  # public address; empty for files derived from others, which cannot be downloaded
    member: str = ""  # its name inside the zip archive at `url`; empty when `url` is the file itself
    original_sha256: str = ""  # of the download where it is not compressed but the file in the folder is

    @property
    def download_sha256(self) -> str:
        """The checksum of the file as it is downloaded."""
        return self.original_sha256 or self.sha256


_CHECKSUMS = {  # of the files in the folder INFLUSTAT_DATA
    "a9a/a9a.gz": "b301f3e87350539f3ebc751d07b4691a8c66f0bf38c1d179c86bbf5e2d9623b2",
    "a9a/a9a.t.gz": "92967561181c73a60149cc8221b936eb746573fda8cbf483115d673f42b26c3f",
    "a9a/a9a_csr.npz": "9c3d3dba6087d81985af40f3b7e2113a18b0da9e980a195c9c0c7b8f3d330f88",
    "diabetes130/IDS_mapping.csv": "f1bb82b471cb34649352597572c9b1fb00bd27f77b9f5a22a03dc3eb1039749e",
    "diabetes130/diabetic_data.csv.gz": "16209e462b906f828e2423f7a9f783f4c4472ad81abd7d653f4e19b46da76e82",
    "diabetes130/koh_liang_design.npz": "e535c83bc0b652268c1f5a85bb32495363fb0fa8bb5847a42d42ab4b9982d9ac",
    "enron1/enron1_bow.npz": "ffddd80aab58dd899a893b96c4a146f1f06dcf9b15307a338cf5bf9d7a0b210d",
    "forestfires/forestfires.csv": "0d6586a1fa52f55bef48578aef14eb97273f1e9330e1a53423df497a77065253",
    "iris/iris.data": "6f608b71a7317216319b4d27b4d9bc84e6abd734eda7872b71a458569e2656c0",
    "microcredit/microcredit_profit.npz": "1f32b59685e9532f6f8a1d286dc3917cb26ccd6e02d2b8f0a33a203a40390890",
    "mnist/mnist17.npz": "55433e1802e9453756664355edebf7e2213525e5f301c78305ff4cb51f5b9a41",
    "mnist/paper_rows.json": "ed13556ee4822551f5cf9245bd699337197d3747ad35394cf1d0f2e4a6088b08",
    "mnist/t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "mnist/t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    "mnist/train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "mnist/train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "newsgroups20/news20_bow.npz": "69ce9d27b74b06b4541db528f7d36cc890ea1e4a2576e24807999fea9d8cb0f5",
    "spambase/spambase.data": "b1ef93de71f97714d3d7d4f58fc9f718da7bbc8ac8a150eff2778616a8097b12",
    "spambase/spambase.names": "df418fab7923f929237b81efa0987ddfaf2d68cf61291243625aadc684d5ab6a",
}
_UNCOMPRESSED = {  # checksums of downloads that are not compressed, but the files in the folder are
    "a9a/a9a.gz": "f5d5ffd8d865ff41328e7ee043e4b020816914ff6843ff15b98905ddbedce906",
    "a9a/a9a.t.gz": "1f448a153f0320399a7e40836eb207655b0bde0f21fc941cc472193daa9f5de9",
    "diabetes130/diabetic_data.csv.gz": "0689e7ec031237dc63031b938805c48377748761a3b26acab621567afa24df97",
}
_UCI = "https://archive.ics.uci.edu/static/public"
_ADDRESSES = {  # of a folder; ending in .zip, of an archive that holds the file
    "a9a": "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary",
    "diabetes130": f"{_UCI}/296/diabetes+130-us+hospitals+for+years+1999-2008.zip",
    "forestfires": f"{_UCI}/162/forest+fires.zip",
    "iris": f"{_UCI}/53/iris.zip",
    "mnist": "https://storage.googleapis.com/cvdf-datasets/mnist",
    "spambase": f"{_UCI}/94/spambase.zip",
}
_DERIVED = (".npz", ".json")  # made from published data: without an address


def _data_file(name: str) -> DataFile:
    """Return the entry of a file: `folder/file`, or `folder/file.gz` where only our copy is compressed."""
    folder, _, file = name.partition("/")
    address = _ADDRESSES.get(folder, "")
    original = file.removesuffix(".gz") if name in _UNCOMPRESSED else file
    if file.endswith(_DERIVED):
        return DataFile(_CHECKSUMS[name])
    in_archive = address.endswith(".zip")
    return DataFile(
        _CHECKSUMS[name],
        url=address if in_archive else f"{address}/{original}",
        member=original if in_archive else "",
        original_sha256=_UNCOMPRESSED.get(name, ""),
    )


FILES: dict[str, DataFile] = {name: _data_file(name) for name in _CHECKSUMS}
