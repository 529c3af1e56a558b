"""Genes on a genome: nearest ones, those of a span, and files that do not belong to the genome."""

import gzip

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.genome.fasta import Genome
from fineprior.genome.genes import read_genes
from gene_models import Model, bed12, gff3, gtf, refseq

RNG = np.random.default_rng(5)


def write(folder, content, name="genes"):
    (folder / name).write_text(content)
    return folder / name


def random_genome(folder, lengths):
    letters = {name: "".join(RNG.choice(list("ACGT"), length)) for name, length in lengths.items()}
    (folder / "g.fa").write_text("".join(f">{name}\n{text}\n" for name, text in letters.items()))
    return Genome(folder / "g.fa")


def gene(name, chrom, start, end, strand="+", **more):
    return Model(name, chrom, strand, more.pop("exons", ((start, end),)), more.pop("coding", (0, 0)),
                 more.pop("gene", name), **more)  # fmt: skip


def test_the_nearest_gene_is_that_of_a_comparison_with_each(tmp_path):
    genome = random_genome(tmp_path, {"1": 3000, "2": 100})
    starts = RNG.integers(0, 2900, 25)
    models = [gene(f"g{i}", "1", int(s), int(s + RNG.integers(5, 90))) for i, s in enumerate(starts)]
    genes = read_genes(write(tmp_path, bed12(models)), genome)
    first = np.arange(0, 2990, 7)
    last = first + RNG.choice([0, 1, 1, 6], len(first))
    rows, distances = genes.nearest("1", first, last)
    for f, t, row, distance in zip(first, last, rows, distances, strict=True):

        def away(model, f=f, t=t):
            ((start, end),) = model.exons
            bases = {f - 1, f} if t == f else set(range(f, t))
            within = bases <= set(range(start, end)) if t == f else bases & set(range(start, end))
            return 0 if within else max(start - t, f - end) + 1

        assert distance == min(map(away, models))
        shortest = [one.exons[0][1] - one.exons[0][0] for one in models if away(one) == 0]
        found = next(one for one in models if one.name == genes.genes["gene"].iat[row])
        assert away(found) == distance
        assert not shortest or found.exons[0][1] - found.exons[0][0] == min(shortest)
    assert (genes.nearest("2", first[:3], last[:3])[0] == -1).all()


def test_genes_within_a_span_have_a_base_in_it(tmp_path):
    genome = random_genome(tmp_path, {"chr1": 300})
    models = [gene("a", "1", 0, 50), gene("b", "1", 60, 70), gene("c", "1", 100, 200)]
    genes = read_genes(write(tmp_path, bed12(models)), genome)
    assert genes.genes["gene"].iloc[genes.within("chr1", 49, 100)].tolist() == ["a", "b"]
    assert genes.genes["gene"].iloc[genes.within("chr1", 50, 60)].tolist() == []


def test_one_id_at_two_places_is_two_genes_unless_a_line_says_its_extent(tmp_path):
    genome = random_genome(tmp_path, {"1": 900})
    models = [gene("t1", "1", 0, 50, gene="G"), gene("t2", "1", 30, 90, gene="G"), gene("t3", "1", 700, 800, gene="G")]
    derived = read_genes(write(tmp_path, gtf(models, genes=False)), genome).genes
    assert derived[["gene", "start", "end"]].to_numpy().tolist() == [["G", 0, 90], ["G", 700, 800]]
    told = read_genes(write(tmp_path, gtf(models)), genome).genes
    assert told[["gene", "start", "end"]].to_numpy().tolist() == [["G", 0, 800]]


def test_a_gene_without_transcripts_is_a_gene(tmp_path):
    genome = random_genome(tmp_path, {"1": 900})
    lone = '1\tx\tgene\t501\t600\t.\t-\t.\tgene_id "P"; gene_name "PSEUDO"; gene_type "pseudogene";\n'
    genes = read_genes(write(tmp_path, gtf([gene("t", "1", 0, 50)]) + lone), genome).genes
    assert genes[["gene", "start", "end", "strand", "kind"]].to_numpy().tolist()[1] == [
        "PSEUDO", 500, 600, "-", "pseudogene",
    ]  # fmt: skip


def test_transcripts_are_in_order_of_preference(tmp_path):
    genome = random_genome(tmp_path, {"1": 900})
    models = [
        gene("short", "1", 0, 50), gene("long", "1", 0, 500), gene("coding", "1", 0, 60, coding=(3, 33)),
        gene("canonical", "1", 0, 9, tags=("basic", "MANE_Select")), gene("b", "1", 100, 150), gene("a", "1", 100, 150),
    ]  # fmt: skip
    for content in (gtf(models), gff3(models)):
        table = read_genes(write(tmp_path, content), genome).transcripts
        assert table["transcript"].tolist() == ["canonical", "coding", "long", "a", "b", "short"]


@pytest.mark.slow
def test_real_genes_on_their_sequence(tmp_path, shared_data, caplog):
    with Genome(shared_data / "prostate_chr17/reference.fa") as genome:
        path = tmp_path / "genes.gtf.gz"
        path.write_bytes(gzip.compress(gtf(refseq()).encode()))
        genes = read_genes(path, genome)
    assert set(genes.genes["contig"]) == {"17"}
    assert genes.remarks == (
        f"107 of 155 transcripts lie on contigs that {shared_data}/prostate_chr17/reference.fa lacks (1, 20): they are "
        "left out",
    )
    assert genes.remarks[0] in caplog.text
    lead = genes.nearest("17", np.array([618_964]), np.array([618_965]))
    assert genes.genes["gene"].iat[lead[0][0]] == "VPS53"
    assert lead[1][0] == 618_964 - 618_079 + 1  # the gene ends at 618,079, on the other strand


@pytest.mark.slow
@pytest.mark.parametrize("write_as", [gtf, gff3, bed12])
def test_genes_of_another_build_are_refused(tmp_path, shared_data, write_as):
    """GRCh38 coordinates of this region are 96,760 larger."""
    moved = [
        Model(one.name, one.chrom, one.strand, tuple((s + 96_760, e + 96_760) for s, e in one.exons),
              tuple(place + 96_760 for place in one.coding), one.gene, one.frames)
        for one in refseq("17") if one.exons[-1][1] < 900_000
    ]  # fmt: skip
    with Genome(shared_data / "prostate_chr17/reference.fa") as genome:
        path = write(tmp_path, write_as(moved))
        with pytest.raises(InputError, match=r"genes: of \d+ coding sequences only \d begin with a start codon in "):
            read_genes(path, genome)


def test_what_cannot_be_used_is_counted(tmp_path):
    genome = random_genome(tmp_path, {"1": 1000})
    models = [
        gene("fine", "1", 0, 50), gene("elsewhere", "7", 0, 50), gene("beyond", "1", 980, 1001),
        gene("overlapping", "1", 0, 0, exons=((0, 50), (40, 90))), gene("strandless", "1", 5, 50, strand="."),
        gene("odd", "1", 100, 150, coding=(110, 121)),
    ]  # fmt: skip
    content = gtf(models) + '1\tx\ttranscript\t1\t9\t.\t+\t.\tgene_id "x"; transcript_id "bare";\n'
    content += '1\tx\tCDS\t300\t308\t.\t+\t0\tgene_id "fine"; transcript_id "fine";\n'
    genes = read_genes(write(tmp_path, content), genome)
    assert sorted(genes.transcripts["transcript"]) == ["fine", "odd", "strandless"]
    assert genes.remarks == (
        f"1 of 7 transcripts lie on contigs that {genome.path} lacks (7): they are left out",
        "1 of 7 transcripts have no exon: they are left out",
        f"1 of 7 transcripts reach beyond the end of their contig in {genome.path} (of another build?): they are left "
        "out",
        "1 of 7 transcripts have exons that overlap: they are left out",
        "1 of 3 transcripts have no strand: they are taken to be on the forward one",
        "1 of 2 coding sequences lie in no exon: their transcripts count as non-coding",
        "1 of 2 coding sequences are no multiple of three bases: their last codon is not whole",
    )  # fmt: skip


def test_a_frame_that_slips_is_counted(tmp_path):
    genome = random_genome(tmp_path, {"1": 1000})
    line = '1\tx\t{}\t{}\t{}\t.\t+\t0\tgene_id "g"; transcript_id "t";\n'
    content = line.format("exon", 1, 90) + line.format("CDS", 1, 30) + line.format("CDS", 30, 59)
    assert "leave out or repeat bases" in read_genes(write(tmp_path, content), genome).remarks[0]


@pytest.mark.parametrize(
    ("chroms", "message"),
    [
        (("5", "6"), r"genes: none of its chromosomes \(5, 6\) is in .*g.fa, which has chr1, chrX"),
        (("chrX", "X"), "genes: 'X' may mean 'chrX' or 'X'|genes: 'chrX' may mean 'chrX' or 'X'"),
    ],
)
def test_contigs_that_do_not_fit_are_one_line(tmp_path, chroms, message):
    genome = random_genome(tmp_path, {"chr1": 100, "chrX": 100})
    with pytest.raises(InputError, match=message):
        read_genes(write(tmp_path, bed12([gene(f"g{chrom}", chrom, 0, 9) for chrom in chroms])), genome)


def test_a_file_of_which_nothing_is_left_is_one_line(tmp_path):
    genome = random_genome(tmp_path, {"1": 100})
    with pytest.raises(InputError, match="genes: no transcript can be used: 1 of 1 transcripts reach beyond the end"):
        read_genes(write(tmp_path, bed12([gene("a", "1", 50, 200)])), genome)
