-- Who writes in the environment.
create table if not exists lease (
  id integer primary key check (id = 1), token text not null, what text not null, host text not null,
  boot text not null, pid integer not null, started integer not null, since text not null, beat integer not null
) strict;
