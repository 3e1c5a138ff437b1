const main = document.querySelector("main");

const show = () => {
  main.textContent = `This is ${location.pathname}.`;
};

document.querySelector("nav").addEventListener("click", (event) => {
  if (!(event.target instanceof HTMLAnchorElement)) return;
  event.preventDefault();
  history.pushState(null, "", event.target.href);
  show();
});
addEventListener("popstate", show);
show();
