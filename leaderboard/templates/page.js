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
  document.querySelectorAll("section.board").forEach((section) => {
    const table = section.querySelector("table.scores");
    const heads = [...table.querySelectorAll("thead th.score")];
    const folded = heads.flatMap((head, i) => (head.classList.contains("fold") ? [i + 1] : []));
    const start = heads.length ? [[1, heads[0].dataset.better === "higher" ? "desc" : "asc"]] : [];
    const data = new DataTable(table, {
      paging: false,
      autoWidth: false,
      layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: null },
      order: start,
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
      const sorted = data.order().length ? data.order()[0][0] : 1;
      data.rows().every(function () {
        const cell = sorted > 0 ? data.cell(this.index(), sorted).node() : null;
        this.node().querySelector(".rank").textContent = cell ? cell.dataset.rank : "";
      });
    };
    data.on("order", ranks);
    ranks();
    const tools = section.querySelector(".tools");
    tools.hidden = false;
    tools.querySelector("[type=search]").addEventListener("input", (event) => data.search(event.target.value).draw());
    tools.querySelectorAll("[data-columns]").forEach((box) => {
      box.checked = false;
      box.addEventListener("change", () => data.columns(JSON.parse(box.dataset.columns)).visible(box.checked));
    });
    const references = tools.querySelector("[data-references]");
    references.checked = true;
    references.addEventListener("change", () => {
      const isModel = (text, row, index) => data.row(index).node().dataset.kind === "model";
      data.search.fixed("references", references.checked ? null : isModel).draw();
    });
  });
})();
