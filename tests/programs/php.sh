#!/bin/bash
# php - arrays, strings and sorting; extensions that the interpreter opens
# with RTLD_DEEPBIND, which free what it has allocated.
. "$(dirname "$0")/common"
needs php

cat >"$input/work.php" <<'END'
<?php
mt_srand(7);
$words = [];
for ($i = 0; $i < 200000; $i++)
	$words["key" . mt_rand(0, 1000000)] = str_repeat("v", mt_rand(0, 200));
ksort($words);
echo count($words), " ", md5(implode(",", $words)), "\n";

$tree = [];
foreach ($words as $key => $word)
	$tree[substr($key, 3, 2)][] = ["key" => $key, "length" => strlen($word)];
$text = json_encode($tree);
echo strlen($text), " ", md5($text), "\n";
echo json_decode($text, true) == $tree ? "same" : "different", "\n";
unset($tree);

$text = preg_replace_callback('/"length":(\d+)/',
	fn($found) => '"twice":' . 2 * $found[1], $text);
echo strlen($text), " ", md5($text), "\n";

for ($i = 1; $i <= 8; $i++)
	echo strlen(str_repeat("x", $i << 20)), " ";
echo "\n", implode(" ", array_map("md5", range("a", "h"))), "\n";

$class = new ReflectionExtension("PDO");
echo $class->getName(), " ", count($class->getClasses()), "\n";
for ($i = 0; $i < 200; $i++)
	$time[] = (new DateTime("2024-01-01"))->modify("+$i days")->format("c");
echo md5(implode($time)), "\n";
END

workload()
{
	php "$input/work.php"
}

compare_runs
check_served php -r 'echo implode(",", range(1, 100));'
finish
