export { locateStore } from '../store/location.js';
