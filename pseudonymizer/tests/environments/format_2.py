"""Makes `format-2` out of `format-1`, as the upgrade of its time did; then a use of it that only format 2 has.

Run once, beside the folders: `python3 format_2.py`. What it made is committed and never made again.
Format 2 had readings and standings of deliveries, the lease and the history of pipelines; keys still lay in clear,
and the metadata database said nowhere which steps of the schema it had taken.
"""

import pathlib
import shutil
import sqlite3

HERE = pathlib.Path(__file__).parent
DELIVERY = "ade4df0930980ab47143ea6665472eeb"
SNAPSHOT = "0e3924a190e627892c140850a433d5227358b2c441adf74591bc6fc3a88f13f1"
LINKING = "c4bc4a50ca93216f"

# What format 2 added to the schema of format 1.
SCHEMA = """
alter table delivery add column generation integer not null default 0;
alter table delivery add column state text not null default 'held';
alter table delivery add column state_at text not null default '';
alter table delivery add column state_note text not null default '';
alter table delivery add column raw_deleted text not null default '';
create table if not exists lease (
  id integer primary key check (id = 1), token text not null, what text not null, host text not null,
  boot text not null, pid integer not null, started integer not null, since text not null, beat integer not null
) strict;
create table if not exists run (
  id integer primary key, pipeline text not null, recipe text not null, started text not null,
  ended text not null default '', state text not null, resumes integer, snapshot text not null default ''
) strict;
create table if not exists step (
  run integer not null references run (id), number integer not null, name text not null, kind text not null,
  state text not null, input text not null, output text not null, why text not null,
  started text not null, ended text not null, primary key (run, number)
) strict;
create index if not exists step_input on step (input);
"""

# The delivery was read again, another one was recalled, a pipeline ran and its successor died holding the lease.
USE = f"""
update delivery set generation = 1 where id = '{DELIVERY}';
insert into delivery (id, name, database, holder, month, taken_in, parts, state, state_at, state_note) values
  ('00000000000000000000000000000002', 'dpc-2023-05', 'dpc', '架空調査事務局', '2023-05', '2026-11-21T05:00:00Z', 0,
   'recalled', '2026-11-21T05:01:00Z', '取下げ');
insert into run values (1, 'monthly', 'recipe', '2026-11-21T05:02:00Z', '2026-11-21T05:03:00Z', 'done', null,
  '{SNAPSHOT}');
insert into run values (2, 'monthly', 'recipe', '2026-11-21T06:00:00Z', '', 'running', null, '');
insert into step values (1, 1, 'link', 'link', 'done', 'x', '{LINKING}', 'nothing was linked yet',
  '2026-11-21T05:02:00Z', '2026-11-21T05:02:30Z');
insert into step values (2, 1, 'link', 'link', 'running', 'y', '', '', '2026-11-21T06:00:00Z', '');
insert into lease values (1, 'gone/1/1', 'pipeline monthly', 'elsewhere', 'gone', 1, 1, '2026-11-21T06:00:00Z', 1);
"""


def main():
    env = HERE / "format-2"
    shutil.copytree(HERE / "format-1", env)
    reading = f"{DELIVERY}.r1"
    for room in ("store", "links"):
        (env / room / "staging" / DELIVERY).rename(env / room / "staging" / reading)
    (env / "quarantine" / f"{DELIVERY}.csv").rename(env / "quarantine" / f"{reading}.csv")
    database = sqlite3.connect(env / "meta.sqlite")
    database.executescript(SCHEMA + USE)
    database.commit()
    database.close()
    config = env / "misu.toml"
    config.write_text(config.read_text().replace("format = 1", "format = 2"))


if __name__ == "__main__":
    main()
