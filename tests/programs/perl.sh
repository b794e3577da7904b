#!/bin/bash
# perl - hashes, sorting, regular expressions, string growth, closures, fork.
. "$(dirname "$0")/common"
needs perl

cat >"$input/work.pl" <<'END'
use strict;
use warnings;

my $seed = 12345;
sub rnd { $seed = ($seed * 1103515245 + 12345) & 0x7fffffff; $seed % $_[0] }

# A hash of strings of many lengths, half of it deleted, filled again.
my %h;
$h{"key" . rnd(1_000_000)} = "v" x rnd(200) for 1 .. 60_000;
delete $h{$_} for grep { /[02468]$/ } sort keys %h;
$h{"again$_"} = [map { $_ * 3 } 0 .. rnd(12)] for 1 .. 30_000;
my $sum = 0;
$sum = ($sum * 31 + length(ref $h{$_} ? "@{$h{$_}}" : $h{$_})) % 1_000_003
	for sort keys %h;
print "hash ", scalar(keys %h), " $sum\n";

# Sort by a computed key; records are anonymous hashes.
my @r = map { { id => $_, name => join "", map { chr 97 + rnd 26 } 1 .. 8 } }
	1 .. 40_000;
my @s = sort { $a->{name} cmp $b->{name} || $a->{id} <=> $b->{id} } @r;
print "sort $s[0]{name} $s[-1]{name} $s[20000]{name}\n";

# A growing string: realloc from bytes to megabytes, then cut to pieces.
my $text = "";
$text .= join(" ", map { $_->{name} } @s[$_ * 10 .. $_ * 10 + 9]) . "\n"
	for 0 .. 3999;
my %count;
$count{lc $1}++ while $text =~ /\b([a-z]{2})[a-z]+?([aeiou])[a-z]*\b/g;
print "regex ", join(",", map { "$_=$count{$_}" } (sort keys %count)[0 .. 9]),
	"\n";
(my $t = $text) =~ s/([a-z]+) ([a-z]+)/$2-$1/g;
print "subst ", unpack("%32C*", $t), " ", length $t, "\n";
my @parts = split /[-\s]+/, $t;
print "split ", scalar(@parts), "\n";

# Closures and reference cycles broken by weaken.
use Scalar::Util 'weaken';
my @f;
for my $i (1 .. 20_000) {
	my $self = { i => $i };
	$self->{me} = $self;
	weaken $self->{me};
	push @f, sub { $self->{i} + ($_[0] // 0) };
}
my $x = 0;
$x += $_->(2) for @f;
print "closure $x\n";

# Large blocks: vectors of 1 to 8 MiB, made and dropped.
my $big = 0;
for my $mib (1 .. 8) {
	my $v = "";
	vec($v, $mib * 1048576 - 1, 8) = $mib;
	$big += length $v;
}
print "big $big\n";

# A child that goes on with the parent's heap.
$| = 1;
for my $n (1 .. 5) {
	my $pid = fork // die "fork: $!";
	if (!$pid) {
		delete $h{$_} for grep { rnd 2 } sort keys %h;
		print "child $n ", scalar(keys %h), "\n";
		exit $n;
	}
	waitpid $pid, 0;
	print "status ", $? >> 8, "\n";
	rnd 2;
}
END

workload()
{
	PERL_HASH_SEED=0 perl "$input/work.pl"
}

compare_runs
check_served perl -e 'print join ",", map { $_ * 2 } 1 .. 100'
finish
