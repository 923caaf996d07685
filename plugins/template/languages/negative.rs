// SPDX-License-Identifier: Apache-2.0
//
// negative: the template's Rust sister, without a crate: the picture's negative, transparency as it is.
//
//     - negative: { strength: 0.5 }
//
//     rustc --edition 2021 --crate-type cdylib -C panic=abort -O -o negative.so negative.rs
//
// The structs are those of pixmill/plugin.h, written down once more; `bindgen` does that for you. Link neither libvips
// nor GLib: the worker provides their symbols.
#![allow(non_camel_case_types, non_snake_case, dead_code)]

use std::alloc::{alloc, Layout};
use std::ffi::{c_char, c_int, c_void};
use std::mem::{offset_of, size_of};
use std::ptr::null;

type Status = c_int;
const PM_OK: Status = 0;
const PM_BAD_INPUT: Status = 2;
const PM_LIMIT: Status = 4;
const BANDS_MAX: usize = 8;
const PM_NUMBER: c_int = 2;

#[repr(C)]
pub struct PmParam {
    name: *const c_char,
    type_: c_int,
    flags: u32,
    offset: usize,
    def: *const c_char,
    min: f64,
    max: f64,
    choices: *const *const c_char,
    unit: *const c_char,
    doc: *const c_char,
}

#[repr(C)]
pub struct PmShape {
    width: i32,
    height: i32,
    pages: i32,
    bands: i32,
    source_width: i32,
    source_height: i32,
    band_format: i32,
    interpretation: i32,
    orientation: i32,
    has_alpha: bool,
    has_profile: bool,
    reserved: [u32; 4],
}

#[repr(C)]
pub struct PmResample {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    kernel: c_int,
    reserved: u32,
}

#[repr(C)]
pub struct PmPlan {
    out: PmShape,
    flags: u32,
    need_width: i32,
    need_height: i32,
    need_pages: i32,
    format: *const c_char,
    extension: *const c_char,
    mime: *const c_char,
    resample: PmResample,
}

pub type PmJob = c_void;
pub type VipsImage = c_void;

// Up to what is used here: the host hands out a whole one.
#[repr(C)]
pub struct PmHost {
    size: usize,
    log: unsafe extern "C" fn(*mut PmJob, c_int, *const c_char, ...),
    fail: unsafe extern "C" fn(*mut PmJob, Status, *const c_char, ...) -> Status,
}

type Create = unsafe extern "C" fn(*const PmHost, *mut PmJob, *const c_void, *mut *mut c_void) -> Status;
type Destroy = unsafe extern "C" fn(*mut c_void);
type Plan = unsafe extern "C" fn(*mut c_void, *mut PmJob, *const PmShape, *mut PmPlan) -> Status;
type Apply = unsafe extern "C" fn(*mut c_void, *mut PmJob, *const PmShape, *mut VipsImage, *mut *mut VipsImage) -> Status;

#[repr(C)]
pub struct PmTransform {
    name: *const c_char,
    summary: *const c_char,
    params: *const PmParam,
    param_size: usize,
    param_count: usize,
    config_size: usize,
    create: Option<Create>,
    destroy: Option<Destroy>,
    plan: Option<Plan>,
    apply: Option<Apply>,
    inspect: *const c_void,
    encode: *const c_void,
    mime_types: *const *const c_char,
    facts: *const *const c_char,
    shorthand: *const *const c_char,
    regions: *const *const c_char,
}

#[repr(C)]
pub struct PmPlugin {
    magic: u32,
    abi_major: u16,
    abi_minor: u16,
    size: usize,
    transform_size: usize,
    vips: [i32; 3], // 0: any
    version: *const c_char,
    transform: *const PmTransform,
}

struct Shared<T>(T);
unsafe impl<T> Sync for Shared<T> {} // constant

extern "C" {
    fn vips_image_get_format(image: *const VipsImage) -> c_int;
    fn vips_linear(image: *mut VipsImage, out: *mut *mut VipsImage, a: *const f64, b: *const f64, n: c_int, ...) -> c_int;
    fn vips_cast(image: *mut VipsImage, out: *mut *mut VipsImage, format: c_int, ...) -> c_int;
    fn g_object_unref(object: *mut c_void);
}

#[repr(C)]
struct Config {
    strength: f64,
}

struct Step {
    host: *const PmHost,
    config: *const Config,
}

unsafe extern "C" fn create(host: *const PmHost, job: *mut PmJob, config: *const c_void, out: *mut *mut c_void) -> Status {
    // Not Box::new(), which ends the process when there is no memory: the host wants to be told.
    let step = alloc(Layout::new::<Step>()).cast::<Step>();
    if step.is_null() {
        return ((*host).fail)(job, PM_LIMIT, c"out of memory".as_ptr());
    }
    step.write(Step { host, config: config.cast() });
    *out = step.cast();
    PM_OK
}

unsafe extern "C" fn destroy(step: *mut c_void) {
    drop(Box::from_raw(step.cast::<Step>()));
}

unsafe extern "C" fn plan(_: *mut c_void, _: *mut PmJob, _: *const PmShape, out: *mut PmPlan) -> Status {
    (*out).need_width = 0; // as good on a smaller picture
    (*out).need_height = 0;
    PM_OK
}

unsafe extern "C" fn apply(
    data: *mut c_void,
    job: *mut PmJob,
    shape: *const PmShape,
    image: *mut VipsImage,
    out: *mut *mut VipsImage,
) -> Status {
    let step = &*data.cast::<Step>();
    let strength = (*step.config).strength;
    let format = vips_image_get_format(image);
    let top = if format == 2 { 65535.0 } else { 255.0 }; // VIPS_FORMAT_USHORT
    let bands = (*shape).bands as usize;
    if bands > BANDS_MAX {
        return ((*step.host).fail)(job, PM_BAD_INPUT, c"too many bands".as_ptr());
    }
    let colours = bands - usize::from((*shape).has_alpha);
    let (mut a, mut b) = ([1.0; BANDS_MAX], [0.0; BANDS_MAX]);
    a[..colours].fill(1.0 - 2.0 * strength);
    b[..colours].fill(top * strength);
    let end = null::<c_char>();
    let mut mixed: *mut VipsImage = std::ptr::null_mut();
    if vips_linear(image, &mut mixed, a.as_ptr(), b.as_ptr(), bands as c_int, end) != 0 {
        return ((*step.host).fail)(job, PM_BAD_INPUT, c"cannot compute the negative".as_ptr());
    }
    let failed = vips_cast(mixed, out, format, end) != 0;
    g_object_unref(mixed);
    if failed {
        return ((*step.host).fail)(job, PM_BAD_INPUT, c"cannot compute the negative".as_ptr());
    }
    PM_OK
}

static PARAMS: Shared<[PmParam; 1]> = Shared([PmParam {
    name: c"strength".as_ptr(),
    type_: PM_NUMBER,
    flags: 0,
    offset: offset_of!(Config, strength),
    def: c"1".as_ptr(),
    min: 0.0,
    max: 1.0,
    choices: null(),
    unit: null(),
    doc: c"1 is the negative, 0 the picture as it is.".as_ptr(),
}]);

static TRANSFORM: Shared<PmTransform> = Shared(PmTransform {
    name: c"negative".as_ptr(),
    summary: c"Show the picture's negative.".as_ptr(),
    params: PARAMS.0.as_ptr(),
    param_size: size_of::<PmParam>(),
    param_count: 1,
    config_size: size_of::<Config>(),
    create: Some(create),
    destroy: Some(destroy),
    plan: Some(plan),
    apply: Some(apply),
    inspect: null(),
    encode: null(),
    mime_types: null(),
    facts: null(),
    shorthand: null(),
    regions: null(),
});

static PLUGIN: Shared<PmPlugin> = Shared(PmPlugin {
    magic: 0x314C_4D50,
    abi_major: 1,
    abi_minor: 0,
    size: size_of::<PmPlugin>(),
    transform_size: size_of::<PmTransform>(),
    vips: [0; 3],
    version: c"1.0.0".as_ptr(),
    transform: &TRANSFORM.0,
});

#[no_mangle]
pub extern "C" fn pixmill_plugin() -> *const PmPlugin {
    &PLUGIN.0
}
