-- Runs of pipelines, and their steps.
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
