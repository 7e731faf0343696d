// Joins the page to DataTables, which sorts and filters; here only: which columns show, and which rank is printed.
"use strict";
(() => {
  const last = (compare) => (a, b) => (a === null) - (b === null) || compare(a, b);
  DataTable.type("score", {
    order: {
      pre: (text) => (text === "" ? null : Number(text)),
      asc: last((a, b) => a - b),
      desc: last((a, b) => b - a), // rows without a value stay last either way
    },
  });
  // One table: folded columns, and the rank by the column that it is sorted by (at first: as the rows come).
  const connect = (part) => {
    const table = part.querySelector(":scope > .scroll > table.scores");
    if (table === null) return null;
    const heads = [...table.querySelectorAll("thead th.score")];
    const folded = heads.flatMap((head, i) => (head.classList.contains("fold") ? [i + 1] : []));
    const lead = Number(table.dataset.lead);
    const data = new DataTable(table, {
      paging: false,
      autoWidth: false,
      orderDescReverse: false, // equal values keep the order of the other tables
      layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: null },
      order: lead ? [[lead, heads[lead - 1].dataset.better === "higher" ? "desc" : "asc"]] : [],
      language: { zeroRecords: "No row matches.", emptyTable: "No row." },
      columnDefs: [
        ...heads.map((head, i) => ({
          targets: i + 1,
          type: "score",
          searchable: false,
          orderSequence: head.dataset.better === "higher" ? ["desc", "asc"] : ["asc", "desc"],
        })),
        { targets: folded, visible: false },
      ],
    });
    const ranks = () => {
      const sorted = data.order().length ? data.order()[0][0] : -1;
      data.rows().every(function () {
        const cell = sorted > 0 ? data.cell(this.index(), sorted).node() : this.node();
        this.node().querySelector(".rank").textContent = sorted === 0 ? "" : cell.dataset.rank;
      });
    };
    data.on("order", ranks);
    ranks();
    part.querySelectorAll("[data-columns]").forEach((box) => {
      box.checked = false;
      box.addEventListener("change", () => data.columns(JSON.parse(box.dataset.columns)).visible(box.checked));
    });
    return data;
  };
  document.querySelectorAll("section.board").forEach((section) => {
    const tables = [...section.querySelectorAll("section.family")].map(connect).filter((data) => data !== null);
    section.querySelectorAll(".tools").forEach((tools) => (tools.hidden = false));
    section.querySelector("[type=search]").addEventListener("input", (event) => {
      tables.forEach((data) => data.search(event.target.value).draw());
    });
    const references = section.querySelector("[data-references]");
    references.checked = true;
    references.addEventListener("change", () => {
      tables.forEach((data) => {
        const isModel = (text, row, index) => data.row(index).node().dataset.kind === "model";
        data.search.fixed("references", references.checked ? null : isModel).draw();
      });
    });
  });
})();
