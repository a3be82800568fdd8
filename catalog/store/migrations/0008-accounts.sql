-- Who is signed in, with what, and how people sign in. Words lie here as digests only; times are seconds since 1970.
create table if not exists session (
  digest text primary key, account text not null, method text not null, began integer not null,
  used integer not null, project text not null
) strict;
create table if not exists api_token (
  id text primary key, digest text not null unique, account text not null, name text not null,
  project text not null, made integer not null, ends integer not null, revoked integer not null
) strict;
create table if not exists invitation (
  digest text primary key, account text not null, purpose text not null, ends integer not null, held text not null
) strict;
create table if not exists account (
  account text primary key, password text not null, factor text not null, last_step integer not null,
  changed integer not null, active integer not null
) strict;
create table if not exists recovery_code (
  account text not null, digest text not null, primary key (account, digest)
) strict;
create table if not exists sign_in_failure (
  name text primary key, failures integer not null, last integer not null
) strict;
