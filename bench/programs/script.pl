# script.pl - words, trees, strings and objects of mixed life in Perl.
#
#	perl script.pl TEXT TREES STRINGS STEPS
#
# 1. The same phases as in script.lua and script.py; what they print is known
#    beforehand (bench/suite/truths.py).
# 2. Perl counts references: each phase frees what it made at once.
use strict;
use warnings;

my ($text, $trees, $strings, $steps) = @ARGV;
my ($DEPTH, $LIVE) = (14, 20000);

sub words {
	my (%count, $total, $top);
	open my $lines, '<', $text or die "$text: $!";
	while (my $line = <$lines>) {
		$count{$_}++, $total++ for $line =~ /[a-z]+/g;
	}
	($top) = sort { $b <=> $a } values %count;
	print "words $total ${\ scalar keys %count} $top\n";
}

sub grow {
	my $depth = shift;
	return [] unless $depth;
	return [grow($depth - 1), grow($depth - 1)];
}

sub nodes {
	my $tree = shift;
	return @$tree ? 1 + nodes($tree->[0]) + nodes($tree->[1]) : 1;
}

sub grow_trees {
	my ($kept, $sum) = (grow($DEPTH), 0);
	$sum += nodes(grow($DEPTH)) for 1 .. $trees;
	print "trees $sum ${\ nodes($kept)}\n";
}

sub join_strings {
	my $joined = join ',', map { "item$_" } 1 .. $strings;
	my @parts = split /,/, $joined;
	print "strings ${\ length $joined} $#parts\n";
}

# Arrays of 0 to 63 fields; a random one of the live set dies at each step.
sub churn {
	my ($state, $sum, %live) = (42, 0);
	for (1 .. $steps) {
		$state = ($state * 1103515245 + 12345) & 0x7fffffff;
		$live{($state >> 14) % $LIVE} = [1 .. ($state >> 8) % 64];
	}
	$sum += @$_ for values %live;
	print "churn ${\ scalar keys %live} $sum\n";
}

words();
grow_trees();
join_strings();
churn();
