-- Deliveries that were taken in, and the account of every line of their files.
create table if not exists delivery (
  id text primary key, name text not null, database text not null, holder text not null,
  month text not null, taken_in text not null, parts integer not null,
  generation integer not null default 0, state text not null default 'held',
  state_at text not null default '', state_note text not null default '', raw_deleted text not null default ''
) strict;
create table if not exists file (
  delivery text not null references delivery (id), number integer not null, path text not null,
  family text not null, bytes integer not null, lines_read integer not null, lines_stored integer not null,
  primary key (delivery, number)
) strict;
create table if not exists dropped (
  delivery text not null, number integer not null, reason text not null, lines integer not null,
  primary key (delivery, number, reason), foreign key (delivery, number) references file (delivery, number)
) strict;
create table if not exists quarantined (
  delivery text not null, number integer not null, kind text not null, lines integer not null,
  primary key (delivery, number, kind), foreign key (delivery, number) references file (delivery, number)
) strict;
