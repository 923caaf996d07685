"use strict";
for (const box of document.querySelectorAll(".compare")) {
  const range = box.querySelector("input");
  range.addEventListener("input", () => box.style.setProperty("--at", range.value + "%"));
}
