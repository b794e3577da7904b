#!/bin/bash
# java - the virtual machine's own arenas, its compiler threads, direct
# buffers, zip, many threads, and a collector with its own task threads.
. "$(dirname "$0")/common"
needs java javac

cat >"$input/Work.java" <<'END'
import java.nio.ByteBuffer;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
import java.util.zip.*;

public class Work {
	static long deflate(byte[] data) throws Exception {
		Deflater d = new Deflater(6);
		d.setInput(data);
		d.finish();
		byte[] out = new byte[data.length + 100];
		int n = d.deflate(out);
		d.end();
		Inflater i = new Inflater();
		i.setInput(out, 0, n);
		byte[] back = new byte[data.length];
		int m = i.inflate(back);
		i.end();
		CRC32 crc = new CRC32();
		crc.update(back, 0, m);
		return crc.getValue();
	}

	static long direct(int seed) {
		Random r = new Random(seed);
		List<ByteBuffer> live = new ArrayList<>();
		long sum = 0;
		for (int i = 0; i < 2000; i++) {
			ByteBuffer b = ByteBuffer.allocateDirect(1 + r.nextInt(9000));
			b.put(b.capacity() - 1, (byte)i);
			sum += b.get(0) + b.capacity();
			if (live.size() < 100)
				live.add(b);
			else
				live.set(r.nextInt(100), b);
		}
		return sum;
	}

	public static void main(String[] args) throws Exception {
		Map<String, Integer> m = new TreeMap<>();
		for (int i = 0; i < 200000; i++)
			m.merge("k" + (i * 7919L) % 10007, i, (a, b) -> a ^ b);
		System.out.println("map " + m.hashCode());
		ExecutorService pool = Executors.newFixedThreadPool(8);
		List<Future<Long>> f = new ArrayList<>();
		for (int i = 0; i < 24; i++) {
			int n = i;
			f.add(pool.submit(() -> {
				byte[] data = new byte[100000];
				for (int j = 0; j < data.length; j++)
					data[j] = (byte)(j * n >> 5);
				return deflate(data) + direct(n);
			}));
		}
		long sum = 0;
		for (Future<Long> x : f)
			sum += x.get();
		pool.shutdown();
		System.out.println("pool " + sum);
		for (int i = 0; i < 400; i++) {
			Thread t = new Thread(() -> { });
			t.start();
			t.join();
		}
		System.gc();
		System.out.println("stream " + IntStream.range(0, 300000).parallel()
			.mapToObj(i -> "s" + i % 1000).collect(
			Collectors.groupingBy(s -> s, TreeMap::new,
			Collectors.counting())).hashCode());
	}
}
END

workload()
{
	javac -J-XX:TieredStopAtLevel=1 -d out "$input/Work.java"
	java -Xmx256m -XX:+UseParallelGC -cp out Work
}

compare_runs
check_served java -Xmx64m -version
finish
