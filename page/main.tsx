import { render } from 'preact';
import { App } from './app.js';
import './style/page.css';

const root = document.querySelector('#page');
if (root === null) throw new Error('index.html has no element with the id page');
root.replaceChildren();
render(<App />, root);
