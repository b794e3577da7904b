/*
 * page.js - draws the page of results from the JSON in it.
 *
 * 1. It computes no statistics: those are in the data (stats.py).
 * 2. An allocator has one colour everywhere; everything is drawn anew when
 *    the reader changes the metric, or the system turns light or dark.
 * 3. The bound, `limit`, never stretches an axis: its bar is cut off.
 */
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);
const names = data.allocators.map(a => a.name);
const own = data.allocators.find(a => a.role === "own").name;
const judged = data.allocators.filter(a => a.role !== "bound").map(a => a.name);
const peers = data.allocators.filter(a => a.role === "peer").map(a => a.name);
const dark = matchMedia("(prefers-color-scheme: dark)");
/* [light, dark]: apart for colour-blind eyes as well. */
const known = { zbmalloc: ["#0067b8", "#4aa8ff"], glibc: ["#7a8594", "#97a3b3"],
	jemalloc: ["#d98e00", "#f2b134"], mimalloc: ["#00875f", "#2fc597"],
	tcmalloc: ["#b9559a", "#e08cc4"], limit: ["#c3cad4", "#4a5566"] };
const spare = [["#c4472b", "#ff7e5f"], ["#00808f", "#35c4d3"],
	["#6b4fc4", "#a48cf5"], ["#8a6a00", "#cbb24a"]];
const palette = {};
names.forEach(n => palette[n] = known[n] || spare[Object.keys(palette)
	.filter(k => !known[k]).length % spare.length]);
const colour = n => palette[n][dark.matches ? 1 : 0];
const css = name => getComputedStyle(document.documentElement)
	.getPropertyValue(name).trim();
const isTimed = row => row.kind === "workload" || row.kind === "program";
const shortName = row => row.name.replace(/^[^/]*\//, "");
const least = { time: true, cpu: true };
const metrics = { time: "Time", cpu: "CPU time", peak_kib: "Peak memory",
	final_kib: "Memory at the end", idle_kib: "Memory after sleep",
	after_kib: "Memory 2 s later",
	minor_faults: "Page faults", major_faults: "Major faults" };
const SERIES_MS = 300;	/* shorter runs show no memory over time */
let metric = "time";
let charts = [];

function element(tag, parent, text, className) {
	const made = document.createElement(tag);
	if (text !== undefined) made.textContent = text;
	if (className) made.className = className;
	if (parent) parent.append(made);
	return made;
}

function summary(cell, m) {
	if (!cell || cell.state !== "ok" || cell[m] === undefined) return null;
	return cell[m];
}

function value(cell, m) {
	const s = summary(cell, m);
	return s && (least[m] ? s.min : s.median);
}

function digits(v) {
	if (v >= 100 || Number.isInteger(v)) return Math.round(v).toLocaleString("en");
	return v.toFixed(v >= 10 ? 1 : v >= 1 ? 2 : 3);
}

const lingering = { idle_kib: true, after_kib: true };
const hasFailed = (cell, m) => cell && (cell.state === "FAIL" ||
	lingering[m] && cell.linger_why !== undefined);
const scaled = (v, m) => m.endsWith("_kib") ? v / 1024 : v;
const unitOf = (row, m) => m.endsWith("_kib") ? "MiB" :
	m.endsWith("_faults") ? "" : m === "cpu" ? "s" : row.unit;

function bestOf(row, m, among) {
	let best = null;
	for (const n of among) {
		const v = value(row.cells[n], m);
		if (v !== null && (!best || v < best.value))
			best = { name: n, value: v };
	}
	return best;
}

/* Draws what Chart.js has not: spread, medians, and values at the bars. */
const whiskers = {
	id: "whiskers",
	afterDatasetsDraw(chart, _args, options) {
		if (!options.stats) return;
		const { ctx, scales: { x }, chartArea } = chart;
		ctx.save();
		ctx.font = "11px system-ui, sans-serif";
		ctx.textBaseline = "middle";
		chart.getDatasetMeta(0).data.forEach((bar, i) => {
			const s = options.stats[i], inside = v =>
				Math.min(x.getPixelForValue(v), chartArea.right);
			ctx.strokeStyle = ctx.fillStyle = css("--mark");
			if (!s.summary) {
				ctx.fillStyle = css(s.failed ? "--bad" : "--soft");
				ctx.fillText(s.text, chartArea.left + 5, bar.y);
				return;
			}
			const low = inside(s.summary.min), high = inside(s.summary.max);
			const middle = inside(s.summary.median);
			ctx.lineWidth = 1.2;
			ctx.beginPath();
			ctx.moveTo(low, bar.y); ctx.lineTo(high, bar.y);
			ctx.moveTo(high, bar.y - 3); ctx.lineTo(high, bar.y + 3);
			ctx.moveTo(middle, bar.y - 5); ctx.lineTo(middle, bar.y + 5);
			ctx.stroke();
			ctx.fillText(s.text, Math.max(bar.x, high) + 6 < chartArea.right ?
				Math.max(bar.x, high) + 6 : chartArea.right + 6, bar.y);
		});
		ctx.restore();
	},
};
/* Names of the large points, in a column: beside the points they overlap. */
const pointNames = {
	id: "pointNames",
	afterDatasetsDraw(chart, _args, options) {
		if (!options.show) return;
		const { ctx, chartArea } = chart, gap = 17;
		const points = chart.data.datasets.map((set, i) => ({ label: set.label,
			isMean: set.isMean, at: chart.getDatasetMeta(i).data[0] }))
			.filter(p => p.isMean).sort((a, b) => a.at.y - b.at.y);
		ctx.save();
		ctx.font = "600 12px system-ui, sans-serif";
		ctx.textBaseline = "middle";
		const middle = points.reduce((sum, p) => sum + p.at.y, 0) / points.length;
		let next = Math.max(chartArea.top + gap / 2,
			Math.min(middle - points.length * gap / 2,
				chartArea.bottom - points.length * gap));
		for (const { label, at } of points) {
			const y = Math.max(next, Math.min(at.y, chartArea.bottom - gap / 2));
			ctx.strokeStyle = css("--soft");
			ctx.lineWidth = .7;
			ctx.beginPath();
			ctx.moveTo(at.x + 9, at.y);
			ctx.lineTo(chartArea.right + 4, y);
			ctx.stroke();
			ctx.fillStyle = css("--text");
			ctx.fillText(label, chartArea.right + 8, y);
			next = y + gap;
		}
		ctx.restore();
	},
};
Chart.register(whiskers, pointNames);

function draw(canvas, config) {
	config.options.animation = false;
	config.options.maintainAspectRatio = false;
	charts.push(new Chart(canvas, config));
}

function axis(title, extra) {
	return Object.assign({ grid: { color: css("--line") },
		ticks: { color: css("--soft") },
		title: { display: !!title, text: title, color: css("--soft") } }, extra);
}

function drawCard(row, parent) {
	const card = element("div", parent, undefined, "card");
	const head = element("div", card, undefined, "head");
	element("h3", head, shortName(row)).title = row.name;
	const against = row.against && row.against[row.best_peer];
	const best = bestOf(row, metric, peers), mine = value(row.cells[own], metric);
	if (hasFailed(row.cells[own], metric))
		element("span", head, "FAIL", "badge bad");
	else if (best && mine !== null && best.value) {
		const ratio = mine / best.value;
		const tie = metric === "time" && against && against.verdict === "tie";
		element("span", head, tie ? "tie with " + best.name :
			ratio.toFixed(2) + " × " + best.name, "badge " +
			(tie ? "soft" : ratio <= 1.005 ? "good" : "bad"));
	}
	element("div", card, row.origin, "origin");
	const shown = names.filter(n => row.cells[n]);
	const box = element("div", card, undefined, "chart");
	box.style.height = shown.length * 24 + 34 + "px";
	const stats = shown.map(n => {
		const cell = row.cells[n], s = summary(cell, metric);
		const failed = hasFailed(cell, metric);
		if (!s) return { text: failed ? "FAIL" :
			cell.state === "ok" ? "–" : cell.state, failed };
		const at = v => scaled(v, metric);
		return { summary: { min: at(s.min), median: at(s.median), max: at(s.max) },
			value: at(value(cell, metric)),
			text: digits(at(value(cell, metric))) };
	});
	/* The bound and what is far off are cut, or the others could not be told. */
	const values = stats.map(s => s.value).filter(v => v !== undefined);
	const core = shown.filter(n => n !== "limit")
		.map((n, i) => stats[shown.indexOf(n)].value)
		.filter(v => v !== undefined).sort((a, b) => a - b);
	const middle = core[Math.floor(core.length / 2)] || 1;
	const spread = Math.max(0, ...stats.map((s, i) =>
		s.summary && shown[i] !== "limit" ? s.summary.max : 0));
	const top = Math.min(Math.max(0, ...values, Math.min(spread,
		1.5 * (core[core.length - 1] || 0))), middle * 4);
	draw(element("canvas", box), { type: "bar",
		data: { labels: shown, datasets: [{ data: stats.map(s => s.value ?? 0),
			backgroundColor: shown.map(colour), barPercentage: .82,
			categoryPercentage: .9, borderRadius: 3 }] },
		options: { indexAxis: "y", layout: { padding: { right: 46 } },
			scales: { x: axis(unitOf(row, metric), { min: 0,
				max: top ? top * 1.08 : 1, ticks: { color: css("--soft"),
				maxTicksLimit: 5, includeBounds: false }, title: { display: false } }),
				y: axis("", { grid: { display: false },
					ticks: { color: css("--text") } }) },
			plugins: { legend: { display: false }, whiskers: { stats },
				tooltip: { callbacks: { label: item => {
					const s = stats[item.dataIndex].summary;
					return s ? `min ${digits(s.min)}, median ${digits(s.median)}, ` +
						`max ${digits(s.max)} ${unitOf(row, metric)}` : "";
				} } } } } });
}

function drawCards() {
	byId("cards").replaceChildren();
	for (const [kind, title] of [["workload", "Workloads"], ["program", "Programs"]]) {
		const rows = data.rows.filter(row => row.kind === kind);
		if (!rows.length) continue;
		element("h3", byId("cards"), title, "across");
		rows.forEach(row => drawCard(row, byId("cards")));
	}
}

function drawSeries() {
	byId("series").replaceChildren();
	for (const row of data.rows.filter(isTimed)) {
		const shown = names.filter(n => row.series[n]);
		if (!shown.some(n => row.series[n].at(-1)[0] >= SERIES_MS)) continue;
		const card = element("div", byId("series"), undefined, "card");
		element("h3", card, shortName(row)).title = row.name;
		const box = element("div", card, undefined, "chart");
		box.style.height = "15rem";
		const peak = Math.max(1, ...shown.filter(n => n !== "limit")
			.map(n => Math.max(...row.series[n].map(p => p[1] / 1024))));
		draw(element("canvas", box), { type: "line",
			data: { datasets: shown.map(n => ({ label: n, borderColor: colour(n),
				backgroundColor: colour(n), borderWidth: n === own ? 2.6 : 1.5,
				borderDash: n === "limit" ? [4, 4] : [], pointRadius: 0,
				order: n === own ? 0 : 1,
				data: row.series[n].map(p => ({ x: p[0] / 1000, y: p[1] / 1024 })) })) },
			options: { parsing: false, interaction: { mode: "nearest", axis: "x",
				intersect: false }, scales: {
				x: axis("s", { type: "linear", min: 0 }),
				y: axis("MiB", { min: 0, max: peak * 1.15,
					ticks: { color: css("--soft"), includeBounds: false } }) },
				plugins: { legend: { display: false } } } });
	}
	byId("over-time").hidden = !byId("series").children.length;
}

/* A range with room around the values, for a logarithmic axis; what few rows
 * have far off is left outside. */
function rangeOf(means, rows) {
	const sorted = rows.slice().sort((a, b) => a - b);
	const some = sorted.slice(Math.floor(sorted.length * .04),
		Math.ceil(sorted.length * .96)).concat(means);
	return { min: Math.min(...some) / 1.12, max: Math.max(...some) * 1.12 };
}

/* Round values for the ticks of a logarithmic axis. */
const isRound = v => [.1, .2, .3, .5, .7, 1, 1.5, 2, 3, 5, 7, 10, 20, 50, 100]
	.some(round => Math.abs(v / round - 1) < 1e-6);

/* Who failed many rows has no mean over the rows of the others. */
const isIn = (mean, n) => mean.steady.includes(n);

function drawScatter(time, peak) {
	const large = judged.filter(n => isIn(time, n) && isIn(peak, n))
		.map(n => ({ label: n, isMean: true, pointRadius: 8, pointHoverRadius: 10,
			data: [{ x: time.values[n], y: peak.values[n] }],
			backgroundColor: colour(n), borderColor: css("--card"), borderWidth: 2 }));
	const small = judged.filter(n => n !== time.reference).map(n => ({ label: n,
		pointRadius: 2.6, backgroundColor: colour(n) + "88", borderWidth: 0,
		data: data.rows.filter(isTimed).map(row => {
			const base = row.cells[time.reference], cell = row.cells[n];
			return { row: row.name,
				x: value(cell, "time") / value(base, "time"),
				y: value(cell, "peak_kib") / value(base, "peak_kib") };
		}).filter(p => p.x > 0 && p.y > 0 && isFinite(p.x + p.y)) }));
	const all = k => [large, small].map(sets =>
		sets.flatMap(set => set.data.map(p => p[k])));
	const base = `× ${time.reference}'s`;
	const log = (title, range) => axis(title, Object.assign(
		{ type: "logarithmic", ticks: { color: css("--soft"), autoSkip: false,
			callback: v => isRound(v) ? v : "" } }, range));
	draw(byId("scatter"), { type: "scatter", data: { datasets: large.concat(small) },
		options: { layout: { padding: { right: 80 } },
			scales: { x: log(`time, ${base}`, rangeOf(...all("x"))),
				y: log(`peak memory, ${base}`, rangeOf(...all("y"))) },
			plugins: { legend: { display: false }, pointNames: { show: true },
				tooltip: { callbacks: { label: item => {
					const p = item.raw;
					return `${item.dataset.label}${p.row ? ", " + p.row : ""}: ` +
						`time ${p.x.toFixed(2)}, memory ${p.y.toFixed(2)}`;
				} } } } } });
}

function drawMeans(means, reference) {
	const shown = [["time", "time"], ["cpu", "CPU time"], ["peak_kib", "peak memory"],
		["idle_kib", "after sleep"], ["after_kib", "2 s later"]].filter(([m]) => means[m]);
	const top = 1.1 * Math.max(...shown.flatMap(([m]) =>
		judged.map(n => Math.min(isIn(means[m], n) ? means[m].values[n] : 0, 4))));
	draw(byId("means"), { type: "bar", data: { labels: shown.map(s => s[1]),
		datasets: judged.map(n => ({ label: n, backgroundColor: colour(n),
			borderRadius: 3, data: shown.map(([m]) =>
				isIn(means[m], n) ? means[m].values[n] : null) })) },
		options: { scales: { x: axis("", { grid: { display: false } }),
			y: axis(`× ${reference}'s`, { min: 0, max: top,
				ticks: { color: css("--soft"), includeBounds: false } }) },
			plugins: { legend: { display: false } } } });
}

function drawOverview() {
	const means = data.means["workload+program"];
	const drawn = means && means.time && means.peak_kib;
	byId("overview").hidden = !drawn;
	if (!drawn) return;
	for (const gap of document.querySelectorAll(".reference"))
		gap.textContent = means.time.reference;
	drawScatter(means.time, means.peak_kib);
	drawMeans(means, means.time.reference);
}

function fillTable(table, head, lines) {
	table.replaceChildren();
	if (head) {
		const tr = element("tr", element("thead", table));
		head.forEach(text => element("th", tr, text));
	}
	const body = element("tbody", table);
	for (const line of lines) {
		const tr = element("tr", body);
		for (const cell of line) {
			const td = element("td", tr, cell.text ?? cell, cell.className);
			if (cell.title) td.title = cell.title;
			if (cell.style) td.style.background = cell.style;
		}
	}
}

/* One metric of some rows: the value, and a shade by the row's best peer. */
function numbers(parent, rows, m, shaded) {
	const shown = names.filter(n => rows.some(r => r.cells[n]));
	const table = element("table", element("div", parent, undefined, "card scroll"));
	fillTable(table, ["", ...shown, m === "time" ? "to the best peer" : ""],
		rows.map(row => {
			const best = bestOf(row, m, judged), peer = bestOf(row, m, peers);
			const found = m === "time" && row.against && row.against[row.best_peer];
			return [shortName(row), ...shown.map(n => {
				const cell = row.cells[n], s = summary(cell, m), v = value(cell, m);
				const failed = hasFailed(cell, m);
				if (v === null) return { text: failed ? "FAIL" : !cell ||
					cell.state === "ok" ? "–" : cell.state,
					className: failed ? "bad" : "soft",
					title: cell && (cell.why || cell.linger_why) };
				const ratio = peer && peer.value ? v / peer.value : 1;
				const shade = Math.min(.45, Math.abs(Math.log2(ratio)) * .22);
				return { text: digits(scaled(v, m)) + (shaded ? "" : least[m] ?
					` / ${digits(scaled(s.median, m))} ±${Math.round(s.spread * 100)} %` : ""),
					className: best && best.name === n ? "best" : "",
					title: `median ${digits(scaled(s.median, m))}, max ` +
						digits(scaled(s.max, m)),
					style: shaded && n !== "limit" && shade > .02 ? `rgba(${css(ratio < 1 ?
						"--good-fill" : "--bad-fill")}, ${shade.toFixed(2)})` : "" };
			}), found ? { text: `${found.ratio.toFixed(2)} ${row.best_peer}` +
				(found.verdict === "tie" ? " tie" : ""),
				className: { faster: "good", slower: "bad", tie: "soft" }[found.verdict] } : ""];
		}));
}

function fillTables() {
	byId("micro-tables").replaceChildren();
	byId("tables").replaceChildren();
	const micro = data.rows.filter(r => r.kind === "micro");
	byId("micro").hidden = !micro.length;
	for (const group of new Set(micro.map(r => shortName(r).split("/")[0]))) {
		const fold = element("details", byId("micro-tables"));
		fold.open = true;
		element("summary", fold, group);
		numbers(fold, micro.filter(r => shortName(r).split("/")[0] === group),
			"time", true);
	}
	const timed = data.rows.filter(r => isTimed(r) || r.kind === "start");
	for (const [m, title] of Object.entries(metrics)) {
		const rows = timed.filter(r => names.some(n => value(r.cells[n], m)));
		if (!rows.length) continue;
		const fold = element("details", byId("tables"));
		element("summary", fold, title + (m.endsWith("_kib") ? ", MiB" :
			m === "time" ? ", s (start: us): minimum / median ± spread" :
			m === "cpu" ? ", s: minimum / median ± spread" : ""));
		numbers(fold, rows, m, false);
	}
}

function tile(title, text, note, className) {
	const made = element("div", byId("tiles"), undefined, "card tile");
	element("span", made, title);
	element("b", made, text, className);
	element("span", made, note);
}

function fillOnce() {
	const m = data.machine, means = data.means["workload+program"] || {};
	byId("about").textContent = `${data.started.replace("T", " ").slice(0, 16)} UTC · ` +
		`${m.CPUs} × ${m.CPU} · ${m.kernel} · ${data.rounds} rounds` +
		(data.parts.length ? `, a part of all: ${data.parts.join(", ")}` : "") +
		` · ${Math.round(data.seconds / 60)} min`;
	for (const [key, title] of [["time", "Time"], ["peak_kib", "Peak memory"],
		["idle_kib", "Memory after 2 s of sleep, all freed"],
		["after_kib", "Memory 2 s later, with a few calls"]]) {
		const mean = means[key];
		if (!mean || mean.to_best === undefined) continue;
		tile(title, `${mean.to_best.toFixed(2)} × ${mean.best_peer}`,
			`the best peer; ${mean.values[own].toFixed(2)} of ${mean.reference}'s ` +
			`(mean of ${mean.rows} rows)`, mean.to_best <= 1 ? "good" : "bad");
	}
	const fails = data.rows.flatMap(r => Object.entries(r.cells)
		.filter(([, c]) => hasFailed(c, "after_kib"))
		.map(([n, c]) => [r.name, n, c.why ?? `--linger: ${c.linger_why}`]));
	const reached = data.targets.filter(t => t.reached).length;
	if (data.targets.length) tile("Targets reached", `${reached} of ${data.targets.length}`,
		"see below");
	tile("Failed", String(fails.filter(f => f[1] === own).length),
		`rows of ${own}; ${fails.filter(f => f[1] !== own).length} of its peers`,
		fails.some(f => f[1] === own) ? "bad" : "good");
	byId("goals").hidden = !data.targets.length;
	byId("rows").hidden = !data.rows.some(isTimed);
	fillTable(byId("targets"), ["", "target", "", "found"], data.targets.map(t => [t.id,
		t.text, { text: t.verdict, className: "firm " + (t.reached ? "good" :
			t.reached === null ? "soft" : "bad") },
		t.found + t.missed.slice(0, 8).map(x => `; ${x.row} ` + (x.ratio === null ? "FAIL" :
			`${x.ratio.toFixed(2)} × ${x.against}`)).join("") +
			(t.missed.length > 8 ? `; and ${t.missed.length - 8} more` : "")]));
	fillTable(byId("machine"), null, Object.entries(m).map(([k, v]) => [k,
		Array.isArray(v) ? v.join(" ") || "none" :
		typeof v === "object" ? Object.entries(v).map(e => e.join("=")).join(" ") || "none set" :
		v === true ? "yes" : v === false ? "no" : String(v)]));
	fillTable(byId("allocators"), ["allocator", "version"],
		data.allocators.map(a => [a.name, a.version]));
	const out = data.rows.flatMap(r => Object.entries(r.cells)
		.filter(([, c]) => c.state === "left out").map(([n, c]) => [r.name, n, c.why]));
	for (const [title, lines] of [["Failures", fails], ["Left out", out],
		["Missing", data.missing]]) {
		if (!lines.length) continue;
		const fold = element("details", byId("troubles"));
		fold.open = title !== "Left out";
		element("summary", fold, `${title}: ${lines.length}`);
		fillTable(element("table", element("div", fold, undefined, "card scroll"),
			undefined, "text"), null, lines);
	}
	for (const [key, title] of Object.entries(metrics)) {
		if (!data.rows.some(r => isTimed(r) && names.some(n => value(r.cells[n], key))))
			continue;
		const button = element("button", byId("metrics"), title);
		button.dataset.metric = key;
		byId("metrics").append(" ");
		button.onclick = () => { metric = key; drawAll(); };
	}
}

function drawAll() {
	charts.forEach(chart => chart.destroy());
	charts = [];
	for (const button of byId("metrics").querySelectorAll("button"))
		button.setAttribute("aria-pressed", button.dataset.metric === metric);
	byId("legend").replaceChildren();
	for (const a of data.allocators) {
		const item = element("span", byId("legend"));
		element("i", item).style.background = colour(a.name);
		item.append(a.name + (a.role === "bound" ? " (never frees)" : ""));
	}
	drawOverview();
	drawCards();
	drawSeries();
	fillTables();
}

fillOnce();
drawAll();
dark.onchange = drawAll;
