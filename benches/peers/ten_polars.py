"""Peer of the ten-query bench: Polars, streaming, over the same Parquet files in clear.

Each question is written as a user of Polars would write it; the clock runs over planning and running.
"""

import ten

import polars as pl
from polars import col

TABLES = {name: pl.scan_parquet(files) for name, files in ten.tables().items()}


def persons(name="person_id"):
    return col(name).n_unique().alias("persons")


def age_band(born, day, width):
    """The band of whole years at a day, as our function of this name gives it."""
    is_before = (day.dt.month() < born.dt.month()) | (
        (day.dt.month() == born.dt.month()) & (day.dt.day() < born.dt.day()))
    years = (day.dt.year() - born.dt.year() - is_before.cast(pl.Int32)).cast(pl.Int32)
    low = years // width * width
    high = pl.min_horizontal(low + width, pl.lit(90)) - 1
    band = pl.format("{}-{}", low, high)
    return pl.when(years < 0).then(None).when(years >= 90).then(pl.lit("90+")).otherwise(band).alias("age")


def monthly_points():
    return TABLES["ndb_receipt"].group_by("prefecture", "service_month").agg(col("total_points").sum(), persons())


def incidence():
    first = (TABLES["ndb_diagnosis"].filter(col("icd10").str.starts_with("E11") & ~col("is_suspected"))
             .group_by("person_id").agg(col("service_month").min().alias("index_month")))
    known = first.join(TABLES["person"], on="person_id")
    known = known.filter(col("index_month") >= col("first_month").dt.offset_by("3mo"))
    return known.group_by("index_month", age_band(col("birth_date"), col("index_month"), 30), "sex").agg(persons())


def drug_use():
    return TABLES["ndb_drug"].group_by("drug_class", "prefecture").agg(persons(), col("times").sum())


def stay_then_care():
    stays = TABLES["dpc_stay"].with_columns(col("admission_month").dt.offset_by("1mo").alias("service_month"))
    joined = stays.select("person_id", "outcome", "service_month").join(
        TABLES["care_claim"].select("person_id", "service_month", "care_level"), on=["person_id", "service_month"])
    return joined.group_by("outcome", "care_level").agg(persons())


def length_of_stay():
    charges = TABLES["dpc_charge"].filter(col("data_category") == "93").select("person_id", "stay_id", "dpc6")
    days = col("length_of_stay")
    joined = TABLES["dpc_stay"].join(charges, on=["person_id", "stay_id"])
    return joined.group_by("dpc6").agg(persons(), days.mean().alias("mean_days"), days.std().alias("deviation"),
                                       days.median().alias("median_days"))


def care_transitions():
    earlier = col("care_level").shift(1).over("person_id", order_by="service_month").alias("earlier")
    steps = TABLES["care_claim"].select("person_id", "care_level", earlier)
    return steps.filter(col("earlier").is_not_null()).group_by("earlier", "care_level").agg(persons())


def readmission():
    earlier = col("discharge_date").shift(1).over("person_id", order_by="admission_date")
    stays = TABLES["dpc_stay"].select("person_id", "outcome", "admission_date", earlier.alias("earlier"))
    is_again = col("admission_date") <= col("earlier").dt.offset_by("1mo")
    again = col("person_id").filter(is_again).n_unique().alias("readmitted")
    return stays.group_by("outcome").agg(persons(), again)


def most_used_drugs():
    users = TABLES["ndb_drug"].group_by("drug_class", "service_month").agg(persons())
    return users.sort("persons", descending=True).head(100)


def persons_by_month():
    return TABLES["ndb_receipt"].group_by("service_month").agg(persons())


def polypharmacy():
    months = TABLES["ndb_drug"].group_by("person_id", "service_month").agg(
        col("drug_code").drop_nulls().n_unique().alias("drugs"))
    known = months.join(TABLES["person"].select("person_id", "birth_date"), on="person_id")
    on_five = col("person_id").filter(col("drugs") >= 5).n_unique().alias("on_five")
    return known.group_by(age_band(col("birth_date"), col("service_month"), 10)).agg(persons(), on_five)


ASKED = {
    "01-monthly-points": monthly_points,
    "02-incidence": incidence,
    "03-drug-use": drug_use,
    "04-stay-then-care": stay_then_care,
    "05-length-of-stay": length_of_stay,
    "06-care-transitions": care_transitions,
    "07-readmission": readmission,
    "08-most-used-drugs": most_used_drugs,
    "09-persons-by-month": persons_by_month,
    "10-polypharmacy": polypharmacy,
}

ten.run(lambda path: ASKED[path.stem]().collect(engine="streaming").to_dicts())
