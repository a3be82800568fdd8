-- Programs that come with a client certificate: the address in the certificate, and whose questions they ask.
create table if not exists service (
  uri text primary key, account text not null, project text not null, ends integer not null
) strict;
