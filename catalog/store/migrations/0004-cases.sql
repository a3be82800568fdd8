-- People of the house, and cases of governance with their moves.
create table if not exists person (
  "user" text primary key, organisation text not null, roles text not null, trained_until text not null,
  is_active integer not null
) strict;
create table if not exists governance_case (
  kind text not null, id text not null, begun_by text not null, begun_at text not null, about text not null,
  primary key (kind, id)
) strict;
create table if not exists governance_move (
  kind text not null, id text not null, number integer not null, move text not null,
  primary key (kind, id, number), foreign key (kind, id) references governance_case (kind, id)
) strict;
