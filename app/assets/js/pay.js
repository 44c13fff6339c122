// WeChat's own payment sheet, inside WeChat only: the button carries the signed call, the answer proves nothing.
document.addEventListener('click', (event) => {
  const button = event.target.closest?.('[data-wechat-pay]');
  if (!button) return;
  const open = () => window.WeixinJSBridge.invoke('getBrandWCPayRequest', JSON.parse(button.dataset.wechatPay), (answer) => {
    // Whatever it says, the server asks the gateway; after a cancel the button simply stays.
    if (answer.err_msg !== 'get_brand_wcpay_request:cancel') document.querySelector('#ask-now')?.click();
  });
  if (window.WeixinJSBridge) return open();
  document.addEventListener('WeixinJSBridgeReady', open, { once: true });
  // WeChat brings its bridge within moments; where it never comes, silence would look like a dead button.
  setTimeout(() => {
    if (window.WeixinJSBridge) return;
    document.removeEventListener('WeixinJSBridgeReady', open);
    document.body.dispatchEvent(new CustomEvent('toast', { bubbles: true, detail: { message: '没有打开微信支付，请在微信里打开这个页面再付', kind: 'warn' } }));
  }, 3000);
});
