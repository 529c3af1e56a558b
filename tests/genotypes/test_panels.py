import subprocess
from pathlib import Path
from shutil import which

import numpy as np
import pandas as pd
import pgenlib
import pysam
import pytest

from fineprior.files.errors import InputError
from fineprior.genome.alleles import Alleles
from fineprior.genome.fasta import Genome
from fineprior.genotypes import plink_panel
from fineprior.genotypes.association import associate
from fineprior.genotypes.ld import panel_ld
from fineprior.genotypes.panels import match, open_panel
from fineprior.genotypes.plink_panel import PgenPanel, PlinkPanel
from fineprior.genotypes.samples import read_cohort
from fineprior.genotypes.vcf_panel import VcfPanel
from fineprior.simulate.population import write_panel

needs_plink2 = pytest.mark.skipif(which("plink2") is None, reason="plink2 is not here")


def write_chromosome(prefix, chrom, seed, people=5):
    dosages = np.random.default_rng(seed).integers(0, 3, (people, 3)).astype(np.int8)
    bim = pd.DataFrame({"chrom": chrom, "pos": [1, 2, 3], "snp_id": [f"{chrom}_{i}" for i in range(3)], "a1": "A",
                        "a2": "C"})  # fmt: skip
    write_panel(prefix, bim, [dosages])
    return dosages


@pytest.fixture
def by_chromosome(tmp_path):
    dosages = [write_chromosome(tmp_path / f"chr{name}.x", name, seed) for seed, name in enumerate(("2", "10", "X"))]
    return str(tmp_path / "chr{chrom}.x"), np.hstack(dosages)


def test_panels_by_chromosome_are_one(by_chromosome):
    pattern, dosages = by_chromosome
    panel = open_panel(pattern)
    assert (panel.samples, panel.count) == (5, 9)
    assert panel.variants["chrom"].to_list() == ["2"] * 3 + ["10"] * 3 + ["X"] * 3
    for order in ([8, 0, 4, 3], [4, 3], list(range(9))):
        index = np.array(order)
        assert np.array_equal(panel.dosages(index), dosages[:, order])
        assert np.array_equal(panel.dosages(index, slice(1, 4)), dosages[1:4, order])
        wanted = panel.variants.iloc[order].assign(panel_index=order, ref="C", alt="A")
        assert panel.find(wanted)["snp_id"].to_list() == panel.variants["snp_id"].iloc[order].to_list()
        assert np.array_equal(panel.genotype_counts(index)[:, 0], (dosages[:, order] == 2).sum(0))
        assert np.allclose(panel.allele_frequencies(index), dosages[:, order].mean(0) / 2)
    assert len(panel.allele_frequencies()) == len(panel.genotype_counts()) == 9
    with pytest.raises(InputError, match="no variant 9, there are 9"):
        panel.dosages(np.array([9]))


@pytest.mark.parametrize("names", [("1", "chr1"), ("1", "01"), ("X", "23"), ("MT", "26")])
def test_two_panels_of_one_chromosome_are_an_error(tmp_path, names):
    for name in names:
        write_chromosome(tmp_path / f"p{name}.x", name, 1)
    with pytest.raises(InputError, match="are one chromosome by name; keep one of them"):
        open_panel(str(tmp_path / "p{chrom}.x"))


def test_the_parts_of_x_may_be_panels_of_their_own(tmp_path):
    """As PLINK parts them; each variant is found in the one that holds it, in indexed files too."""
    header = "##fileformat=VCFv4.2\n##contig=<ID=X>\n##FORMAT=<ID=GT,Number=1,Type=String,Description=x>\n"
    header += "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\n"
    for name, pos in (("X", 5000), ("XY", 100)):
        (tmp_path / f"p{name}.vcf").write_text(header + f"X\t{pos}\trs{name}\tA\tG\t.\t.\t.\tGT\t0/1\t1/1\n")
        pysam.tabix_index(str(tmp_path / f"p{name}.vcf"), preset="vcf", force=True)
    panel = open_panel(str(tmp_path / "p{chrom}.vcf.gz"))
    wanted = panel.variants.assign(panel_index=[0, 1], ref="A", alt="G")
    assert panel.find(wanted)["snp_id"].tolist() == ["rsX", "rsXY"]
    assert panel.find(wanted.iloc[[1]])["snp_id"].tolist() == ["rsXY"]
    assert panel.dosages(np.array([1])).tolist() == [[1], [2]]


def test_only_the_chromosome_that_is_asked_for_is_read(by_chromosome, monkeypatch):
    monkeypatch.setattr(plink_panel, "_WHOLE_BIM", 0)
    panel = open_panel(by_chromosome[0])
    panel.find(pd.DataFrame({"chrom": ["10"], "pos": [2], "ref": ["C"], "alt": ["A"], "panel_index": [4]}))
    panel.dosages(np.array([4]))
    assert not any("variants" in vars(part) for part in panel.parts)


def test_indexed_vcfs_by_chromosome_are_found_by_name(tmp_path):
    for chrom, pos in (("1", 7), ("2", 9)):
        with pysam.VariantFile(str(tmp_path / f"{chrom}.vcf.gz"), "w") as file:
            file.header.contigs.add(chrom)
            file.header.formats.add("GT", 1, "String", "Genotype")
            file.header.add_samples("a", "b")
            record = file.new_record(contig=chrom, start=pos - 1, alleles=("A", "G"))
            record.samples["b"]["GT"] = (1, int(chrom) - 1)
            record.samples["a"]["GT"] = (0, 0)
            file.write(record)
        pysam.tabix_index(str(tmp_path / f"{chrom}.vcf.gz"), preset="vcf")
    panel = open_panel(str(tmp_path / "{chrom}.vcf.gz"))
    wanted = pd.DataFrame({"chrom": ["2", "chr1"], "pos": [9, 7], "ref": "A", "alt": "G", "panel_index": [1, 0]})
    assert panel.find(wanted)["chrom"].to_list() == ["2", "1"]
    assert panel.dosages(np.array([1, 0])).tolist() == [[0, 0], [2, 1]]
    assert not any("variants" in vars(part) for part in panel.parts)
    with pytest.raises(InputError, match=r"\{chrom\}\.vcf\.gz: no file for chromosome '3'"):
        panel.find(wanted.assign(chrom="3"))


def test_other_people_in_one_of_the_files_are_named(by_chromosome, tmp_path):
    write_chromosome(tmp_path / "chr3.x", "3", 9, people=4)
    with pytest.raises(InputError, match=r"chr3\.x: 4 samples, not the same as the 5 of .*chr2\.x"):
        open_panel(by_chromosome[0])
    (tmp_path / "keep").write_text("4\n1\n")
    assert open_panel(by_chromosome[0], str(tmp_path / "keep")).sample_ids == ["1", "4"]


def test_a_panel_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"neither \.bed nor \.pgen exists"):
        open_panel(str(tmp_path / "none"))
    with pytest.raises(InputError, match="no file fits the panel"):
        open_panel(str(tmp_path / "none{chrom}"))


def plink2(prefix, out, *options):
    command = ["plink2", "--bfile", prefix, *options, "--out", out]
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


@pytest.mark.slow
@needs_plink2
@pytest.mark.parametrize(("name", "count"), [("prostate_chr17", 441), ("panel_chr20", 7568)])
def test_every_reader_gives_the_same_ld_of_real_people(shared_data, tmp_path, name, count):
    prefix = shared_data / name / "panel"
    bed = open_panel(str(prefix))
    keep = tmp_path / "keep"
    keep.write_text("\n".join(bed.sample_ids[1::2]) + "\n")
    vcf = ("--export", "vcf", "id-paste=iid")
    forms = {"pgen": ("--make-pgen",), "zst": ("--make-pgen", "vzs"), "vcf": (*vcf, "bgz"),
             "bcf": ("--export", "bcf", "id-paste=iid"), "ds": (*vcf, "vcf-dosage=DS")}  # fmt: skip
    for out, options in forms.items():
        plink2(prefix, tmp_path / out, *options)
    pysam.tabix_index(str(tmp_path / "vcf.vcf.gz"), preset="vcf")
    known = bed.variants.assign(
        panel_index=np.arange(count), variant_id="v", ref=lambda t: t["a2"], alt=lambda t: t["a1"]
    )
    table = known.iloc[:: max(count // 200, 1)]
    assert bed.count == count
    readers = {"pgen": PgenPanel, "zst": PgenPanel, "vcf.vcf.gz": VcfPanel, "bcf.bcf": VcfPanel, "ds.vcf": VcfPanel}
    for samples in (None, str(keep)):
        bed = open_panel(str(prefix), samples)
        expected, frequencies = panel_ld(table, bed), bed.allele_frequencies(table["panel_index"])
        for file, kind in readers.items():
            panel = open_panel(str(tmp_path / file), samples)
            assert isinstance(panel, kind)
            assert panel.sample_ids == bed.sample_ids
            assert np.array_equal(panel_ld(table, panel), expected), file
            turned = panel.find(table)["a1"].to_numpy() != table["a1"].to_numpy()
            found = panel.allele_frequencies(table["panel_index"])
            assert np.allclose(np.where(turned, 1 - found, found), frequencies)


def test_a_large_bim_is_not_kept(tmp_path, monkeypatch):
    write_chromosome(tmp_path / "p", "1", 3)
    whole = PlinkPanel(tmp_path / "p")
    monkeypatch.setattr(plink_panel, "_WHOLE_BIM", 0)
    for block in (1, 5, 17, 1 << 20):
        monkeypatch.setattr(plink_panel, "_BYTES_AT_ONCE", block)
        panel = PlinkPanel(tmp_path / "p")
        for rows in ([2, 0, 0], [1], [], [2]):
            found = panel.find(pd.DataFrame({"panel_index": np.array(rows, np.int64)}))
            assert found.to_numpy().tolist() == whole.variants.iloc[rows].to_numpy().tolist()
            if rows:
                assert "variants" not in vars(panel)
                assert np.array_equal(panel.dosages(rows), whole.dosages(rows))
    text = (tmp_path / "p.bim").read_text()
    (tmp_path / "p.bim").write_text("\n" + text.removesuffix("\n"))
    assert len(PlinkPanel(tmp_path / "p").find(pd.DataFrame({"panel_index": [2]}))) == 1
    (tmp_path / "p.bim").write_text(text + text)
    with pytest.raises(InputError, match="but 6 variants"):
        PlinkPanel(tmp_path / "p").dosages([0])


def test_people_of_a_list_are_kept_in_a_bed(tmp_path):
    dosages = write_chromosome(tmp_path / "p", "1", 3, people=11)
    for rows in ([0, 10], [3, 4, 5], [2, 4, 9], list(range(11))):
        (tmp_path / "keep").write_text("".join(f"{row + 1}\n" for row in reversed(rows)))
        panel = PlinkPanel(tmp_path / "p", tmp_path / "keep")
        assert panel.sample_ids == [str(row + 1) for row in rows]
        assert np.array_equal(panel.dosages([2, 0]), dosages[rows][:, [2, 0]])
        assert np.array_equal(panel.dosages([2, 0], slice(1, 3)), dosages[rows[1:3]][:, [2, 0]])
        expected = np.stack([(dosages[rows] == copies).sum(0) for copies in (2, 1, 0, -1)], 1)
        assert np.array_equal(panel.genotype_counts(), expected)


def test_a_panel_may_be_named_with_its_suffix(tmp_path):
    write_chromosome(tmp_path / "p", "1", 3)
    assert open_panel(str(tmp_path / "p.bed")).count == 3
    Path(tmp_path / "p.pgen").touch()
    assert open_panel(str(tmp_path / "p.bed")).count == 3


def x_panels(folder):
    """The same women and men (every second one) on X, in each form of a panel; copies (variants, people)."""
    rng = np.random.default_rng(4)
    men = np.arange(40) % 2 == 1
    copies = rng.binomial(2, 0.4, (6, 40))
    copies[:, men] = 2 * (copies[:, men] > 0)
    copies[2, 5] = -1
    bim = pd.DataFrame({"chrom": "X", "pos": np.arange(1, 7) * 100, "snp_id": [f"rs{i}" for i in range(6)],
                        "a1": "G", "a2": "A"})  # fmt: skip
    write_panel(folder / "bed", bim, [copies.T.astype(np.int8)], [f"p{i}" for i in range(40)])
    for name in ("gt", "ds"):
        lines = []
        for row, values in zip(bim.itertuples(), copies, strict=True):
            calls = []
            for value, man in zip(values.tolist(), men, strict=True):
                half = value // 2
                call = "./." if value < 0 else str(half) if man else f"{half}/{value - half}"
                dosage = "." if value < 0 else f"{value / 2 if man else value}"
                calls.append(call if name == "gt" else f"{call}:{dosage}")
            form = "GT" if name == "gt" else "GT:DS"
            lines.append("\t".join([row.chrom, str(row.pos), row.snp_id, "A", "G", ".", ".", ".", form, *calls]) + "\n")
        head = (
            '##fileformat=VCFv4.2\n##FORMAT=<ID=GT,Number=1,Type=String,Description="">\n##contig=<ID=X>\n'
            '##FORMAT=<ID=DS,Number=A,Type=Float,Description="">\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t'
        )
        (folder / f"{name}.vcf").write_text(head + "\t".join(f"p{i}" for i in range(40)) + "\n" + "".join(lines))
    (folder / "pgen.pvar").write_text("#CHROM\tPOS\tID\tREF\tALT\n" + "".join(
        f"X\t{row.pos}\t{row.snp_id}\tA\tG\n" for row in bim.itertuples()))  # fmt: skip
    (folder / "pgen.psam").write_text("#IID\tSEX\n" + "".join(f"p{i}\t{1 + (i + 1) % 2}\n" for i in range(40)))
    with pgenlib.PgenWriter(str(folder / "pgen.pgen").encode(), 40, variant_ct=6, nonref_flags=False) as writer:
        for values in copies:
            writer.append_biallelic(np.where(values < 0, -9, values).astype(np.int8))
    return np.where(copies < 0, np.nan, copies)


def test_men_on_x_count_alike_in_every_form(tmp_path):
    expected = x_panels(tmp_path)
    called = ~np.isnan(expected)
    frequency = np.where(called, expected, 0).sum(1) / (2 * called.sum(1))
    (tmp_path / "t").write_text("IID t\n" + "".join(f"p{i} {(7 * i) % 11 + i / 9}\n" for i in range(40)))
    effects = []
    for name in ("bed", "pgen", "gt.vcf", "ds.vcf"):
        panel = open_panel(str(tmp_path / name))
        assert np.array_equal(panel.dosages(np.arange(6)).T, expected, equal_nan=True), name
        assert panel.allele_frequencies() == pytest.approx(frequency), name
        counts = [[(row == k).sum() for k in (2, 1, 0)] + [np.isnan(row).sum()] for row in expected]
        assert panel.genotype_counts().tolist() == counts, name
        effects.append(associate(panel, read_cohort(panel.sample_ids, tmp_path / "t"))["beta"].to_numpy())
    for other in effects[1:]:
        assert other == pytest.approx(effects[0])
    rows = called[0]
    slope = np.polyfit(expected[0][rows], [(7 * i) % 11 + i / 9 for i in range(40)], 1)[0]
    assert effects[3][0] == pytest.approx(slope)


def test_a_position_beyond_32_bits_is_not_another_one(tmp_path):
    (tmp_path / "g.fa").write_text(">1\n" + "ACGT" * 50 + "\n")
    variants = pd.DataFrame({"chrom": "1", "pos": [(1 << 32) + 100, 101], "a1": "G", "a2": "A"})
    alleles = Alleles()
    contig, wanted = np.zeros(2, np.int32), np.array([100, 101], np.int32)
    effect, other = (alleles.plain(alleles.encode(pd.Series([base] * 2))) for base in "GA")
    with Genome(tmp_path / "g.fa") as genome:
        found = match(variants, genome, alleles, contig, wanted, effect, other)
    assert found.panel_index.tolist() == [-1, 1]


def all_of(panel):
    """Everything that a panel gives, as bytes."""
    found = panel.find(panel.variants.assign(panel_index=range(panel.count), ref=panel.variants["a2"],
                                             alt=panel.variants["a1"]))  # fmt: skip
    text = panel.variants.to_csv() + found.to_csv() + str(panel.sample_ids)
    numbers = panel.dosages(np.arange(panel.count)), panel.genotype_counts(), panel.allele_frequencies()
    return text.encode() + b"".join(one.tobytes() for one in numbers)


def damaged(content, seed):
    """A bit turned, a cut, or four bytes of something else."""
    rng = np.random.default_rng(seed)
    changed, place = bytearray(content), int(rng.integers(len(content)))
    if seed % 3 == 0:
        changed[place] ^= 1 << int(rng.integers(8))
    elif seed % 3 == 1:
        del changed[place:]
    else:
        changed[place : place + 4] = rng.bytes(4)
    return bytes(changed)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("panel", "file"),
    [("bed", "bed.bed"), ("bed", "bed.bim"), ("bed", "bed.fam"), ("pgen", "pgen.pgen"), ("pgen", "pgen.pvar"),
     ("pgen", "pgen.psam"), ("ds.vcf", "ds.vcf"), ("ds.vcf.gz", "ds.vcf.gz"), ("ds.bcf", "ds.bcf")],
)  # fmt: skip
def test_damaged_panels_are_one_line(tmp_path, panel, file):
    x_panels(tmp_path)
    for name in ("ds.vcf.gz", "ds.bcf"):
        with pysam.VariantFile(str(tmp_path / "ds.vcf")) as source:
            target = pysam.VariantFile(str(tmp_path / name), "w", header=source.header)
            for record in source:
                target.write(record)
            target.close()
    path, whole = tmp_path / file, all_of(open_panel(str(tmp_path / panel)))
    content = path.read_bytes()
    refused = 0
    for seed in range(200):
        path.write_bytes(damaged(content, seed))
        try:
            found = all_of(open_panel(str(tmp_path / panel)))
        except InputError as error:
            said = str(error)
            refused += 1
        else:
            said = ""
            # text, .bed and .pgen have no checksums
            assert found == whole or file not in {"ds.vcf.gz", "ds.bcf"}, seed
        assert "\n" not in said, seed
    assert refused > 50
